"""Where decoded audio goes: files, or raw samples on standard output."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import soundfile

from snac_cache.convert.output_folder import OutputFolder, path_of
from snac_cache.manifests.formats import UNREADABLE
from snac_common.errors import BadInput
from snac_common.files import atomic_path, clear_leftovers

AUDIO_FORMATS = {".wav": "WAV", ".flac": "FLAC"}
UNWRITTEN = frozenset({".mp3", ".ogg", ".oga", ".opus", ".raw", ".pcm", *UNREADABLE})
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
            ``-`` for 16-bit little-endian samples on standard output, one rate. A file of another
            kind of audio is refused.
        suffix: ``.wav`` or ``.flac``, of the files in a folder.
        rates: in Hz; with several, each has a folder of its own.
    """

    def __init__(self, output: str, suffix: str, rates: tuple[int, ...]) -> None:
        self.piped = output == "-"
        self.path = Path(output)
        ending = self.path.suffix.lower()
        if ending in UNWRITTEN and not self.path.is_dir():
            raise BadInput(
                f"-o {output}: snac-decode writes wav and flac files, and raw 16-bit samples to "
                f"-o -. Give one of these; ffmpeg -i FILE.wav {self.path.name} makes {ending[1:]} "
                "of a wav file."
            )
        self.one_file = ending in AUDIO_FORMATS
        self.suffix = ending if self.one_file else suffix
        self.rates = rates
        self.folder = OutputFolder(self.path)
        self.claimed = 0
        if (self.piped or self.one_file) and len(rates) > 1:
            raise BadInput(f"-o {output} holds one rate: choose it with --rate, or give a folder")

    def claim(self, utterance_id: str) -> None:
        """Reserve an utterance's place.

        Raises:
            BadInput: if a second utterance comes and there is one file.
            Unusable: ``bad_name`` for an id that cannot name a file in the folder,
                ``duplicate_id`` for one whose file an id before it has.
        """
        if self.one_file and self.claimed:
            raise BadInput(f"{self.path} holds one utterance, but there are more: give a folder")
        if self.one_file:
            clear_leftovers(self.path.parent)
        elif not self.piped:
            for rate in self.rates:
                self.folder.claim(self._name(utterance_id, rate), utterance_id)
        self.claimed += 1

    @contextmanager
    def open(self, utterance_id: str, rate: int) -> Iterator[WriteSamples]:
        """Yield a function that takes 16-bit samples; a file appears when all are written."""
        if self.piped:
            yield _write_to_stdout
            return
        kind = AUDIO_FORMATS[self.suffix]
        path = self.path if self.one_file else self.path / self._name(utterance_id, rate)
        with (
            atomic_path(path) as temporary,
            soundfile.SoundFile(temporary, "w", rate, 1, "PCM_16", format=kind) as file,
        ):
            yield file.write

    def _name(self, utterance_id: str, rate: int) -> str:
        """Return the path of a file within the folder."""
        name = f"{path_of(utterance_id)}{self.suffix}"
        return f"{rate}/{name}" if len(self.rates) > 1 else name


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
