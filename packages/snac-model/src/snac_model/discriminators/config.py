"""What a model's discriminators look like."""

from dataclasses import asdict, dataclass, fields
from typing import Any, Self

from snac_common.errors import Failure


@dataclass(frozen=True)
class DiscriminatorConfig:
    """One set of discriminators for each output rate.

    The defaults are those of the Descript Audio Codec (Kumar et al., 2023).

    Attributes:
        rates: of the outputs, in Hz.
        periods: one discriminator each sees every period-th sample side by side.
        period_channels: of their convolutions, all but the last of which stride by three.
        window_sizes: in samples; one discriminator each sees that window's complex spectrogram.
        band_edges: where the spectrogram is cut, as shares of the Nyquist frequency, from 0 to 1.
        band_channels: of the convolutions of each band.
    """

    rates: tuple[int, ...]
    periods: tuple[int, ...] = (2, 3, 5, 7, 11)
    period_channels: tuple[int, ...] = (32, 128, 512, 1024, 1024)
    window_sizes: tuple[int, ...] = (2048, 1024, 512)
    band_edges: tuple[float, ...] = (0.0, 0.1, 0.25, 0.5, 0.75, 1.0)
    band_channels: int = 32

    def __post_init__(self) -> None:
        edges = self.band_edges
        if len(edges) < 2 or edges[0] != 0 or edges[-1] != 1 or list(edges) != sorted(set(edges)):
            raise Failure(f"band edges must rise from 0 to 1, not {list(edges)}")
        if not self.rates or not (self.periods or self.window_sizes):
            raise Failure("discriminators need an output rate, and a period or a window size")

    def to_dict(self) -> dict[str, Any]:
        """Return the fields as JSON has them."""
        return {
            name: list(value) if isinstance(value, tuple) else value
            for name, value in asdict(self).items()
        }

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> Self:
        """Read what ``to_dict`` returned.

        Raises:
            Failure: if fields are missing, unknown, or not of their kind.
        """
        names = {field.name for field in fields(cls)}
        if names != values.keys():
            raise Failure(f"discriminators have the fields {sorted(names)}, not {sorted(values)}")
        try:
            lists = {
                name: tuple(value) for name, value in values.items() if name != "band_channels"
            }
            return cls(**lists, band_channels=int(values["band_channels"]))
        except TypeError as error:
            raise Failure(f"discriminators cannot be made of {values}: {error}") from error
