"""A curve of any length in little memory."""

from statistics import fmean

MAX_POINTS = 800


class Trace:
    """A metric over the samples seen, in fewer than 800 points.

    Every point is the mean of equally many neighbours: of one value each, until there are too many
    points; then pairs of points become one.
    """

    def __init__(self) -> None:
        self._points: list[tuple[float, float]] = []
        self._newest: list[tuple[float, float]] = []
        self._width = 1

    def add(self, samples: float, value: float) -> None:
        """Add the next value."""
        self._newest.append((samples, value))
        if len(self._newest) == self._width:
            self._points.append(_mean(self._newest))
            self._newest = []
        if len(self._points) == MAX_POINTS:
            pairs = zip(self._points[::2], self._points[1::2], strict=True)
            self._points = [_mean(pair) for pair in pairs]
            self._width *= 2

    def points(self) -> list[tuple[float, float]]:
        """Return samples seen and value of each point; the last may be of fewer values."""
        return self._points + ([_mean(self._newest)] if self._newest else [])


def _mean(
    points: list[tuple[float, float]] | tuple[tuple[float, float], ...],
) -> tuple[float, float]:
    samples, values = zip(*points, strict=True)
    return fmean(samples), fmean(values)
