"""Where decoded audio goes: files, or raw samples on standard output."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import numpy as np
import soundfile

from snac_cache.convert.rejects import Unusable
from snac_model.errors import BadInput
from snac_model.files import atomic_path

AUDIO_FORMATS = {".wav": "WAV", ".flac": "FLAC"}
LOUDEST = 32767  # of a 16-bit sample

WriteSamples = Callable[[np.ndarray], object]


def to_pcm(audio: np.ndarray) -> np.ndarray:
    """Round float32 samples in -1 to 1 to 16 bits."""
    pcm: np.ndarray = np.rint(np.clip(audio, -1, 1) * LOUDEST).astype("<i2")
    return pcm


class AudioOutput:
    """Opens a place for each utterance's audio.

    Args:
        output: a folder; a file that ends in .wav or .flac, for one utterance at one rate; or
            ``-`` for 16-bit little-endian samples on standard output, one rate.
        suffix: ``.wav`` or ``.flac``, of the files in a folder.
        rates: in Hz; with several, each has a folder of its own.
    """

    def __init__(self, output: str, suffix: str, rates: tuple[int, ...]) -> None:
        self.piped = output == "-"
        self.path = Path(output)
        self.one_file = self.path.suffix.lower() in AUDIO_FORMATS
        self.suffix = self.path.suffix.lower() if self.one_file else suffix
        self.rates = rates
        self.opened: set[str] = set()
        if (self.piped or self.one_file) and len(rates) > 1:
            raise BadInput(f"-o {output} holds one rate: choose it with --rate, or give a folder")

    def claim(self, utterance_id: str) -> None:
        """Reserve an utterance's place.

        Raises:
            BadInput: if a second utterance comes and there is one file.
            Unusable: ``bad_name`` for an id that leads out of the folder, ``duplicate_id``.
        """
        if self.piped:
            return
        if self.one_file and self.opened:
            raise BadInput(f"{self.path} holds one utterance, but there are more: give a folder")
        name = PurePosixPath(utterance_id)
        if not self.one_file and (name.is_absolute() or ".." in name.parts or not name.name):
            raise Unusable("bad_name", "the id is no path within a folder", utterance_id)
        if utterance_id in self.opened:
            raise Unusable("duplicate_id", "audio of this id is written already", utterance_id)
        self.opened.add(utterance_id)

    @contextmanager
    def open(self, utterance_id: str, rate: int) -> Iterator[WriteSamples]:
        """Yield a function that takes 16-bit samples; a file appears when all are written."""
        if self.piped:
            yield _write_to_stdout
            return
        kind = AUDIO_FORMATS[self.suffix]
        with (
            atomic_path(self._path(utterance_id, rate)) as temporary,
            soundfile.SoundFile(temporary, "w", rate, 1, "PCM_16", format=kind) as file,
        ):
            yield file.write

    def _path(self, utterance_id: str, rate: int) -> Path:
        if self.one_file:
            return self.path
        folder = self.path / str(rate) if len(self.rates) > 1 else self.path
        return folder / f"{utterance_id}{self.suffix}"


def _write_to_stdout(samples: np.ndarray) -> None:
    sys.stdout.buffer.write(samples.tobytes())
    sys.stdout.buffer.flush()


@dataclass
class Trimmed:
    """Passes on samples up to the utterance's own length, which padding exceeds."""

    write: WriteSamples
    left: int

    def __call__(self, samples: np.ndarray) -> None:
        """Write as many of the samples as are left."""
        if self.left:
            self.write(samples[: self.left])
        self.left -= min(self.left, len(samples))
