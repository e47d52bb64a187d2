"""Utterances that are kept to be looked at and listened to."""

import io
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import soundfile
import torch

from snac_cache.store.code_store import CachedUtterance
from snac_common.files import atomic_path, write_text
from snac_eval.models.decoding import Output
from snac_eval.models.names import REFERENCE, folder_name, rate_name
from snac_eval.models.references import Reference

LONGEST_NAME = 80  # characters of a model's name in a file's


@dataclass(frozen=True)
class Signal:
    """One of the versions of an utterance.

    Attributes:
        model: who made it; the reference is one of them.
        rate: in Hz.
        audio: float32 ``[T]`` on the CPU.
        loss: against the reference; None for the reference itself, and where there is none.
    """

    model: str
    rate: int
    audio: torch.Tensor
    loss: float | None

    def encoded(self, file_format: str) -> bytes:
        """Return the audio as a 16-bit file; samples that no format can hold are silent."""
        buffer = io.BytesIO()
        audio = self.audio.nan_to_num(0.0, 0.0, 0.0).numpy()
        soundfile.write(buffer, audio, self.rate, format=file_format, subtype="PCM_16")
        return buffer.getvalue()

    def file_name(self, number: int, place: int) -> str:
        """Return the name of a version's wav file: ``007_03_my-run_48k.wav``, the third of it."""
        model = folder_name(self.model)[:LONGEST_NAME]
        return f"{number:03d}_{place:02d}_{model}_{rate_name(self.rate)}.wav"


@dataclass(frozen=True)
class Sample:
    """An utterance in all its versions: the reference at its higher rate, then the outputs.

    ``why`` says why it was chosen: ``best``, ``worst``, ``random``, ``asked for``.
    """

    utterance_id: str
    why: str
    seconds: float
    signals: list[Signal]

    @classmethod
    def of(
        cls,
        utterance: CachedUtterance,
        reference: Reference,
        outputs: Sequence[Output],
        losses: Mapping[tuple[str, int], float | None],
        why: str,
    ) -> "Sample":
        """Keep an utterance, with each output's loss."""
        rate = max(reference.audio)
        signals = [Signal(REFERENCE, rate, reference.audio[rate], None)]
        signals += [
            Signal(output.model, output.rate, output.audio.cpu(), losses[output.model, output.rate])
            for output in outputs
        ]
        return cls(utterance.utterance_id, why, len(reference.audio[rate]) / rate, signals)


class SampleFolder:
    """``audio/`` beside the report: numbered wav files, and ``samples.json``: whose they are."""

    def __init__(self, evaluation: Path) -> None:
        self.folder = evaluation / "audio"
        self._index: list[dict[str, object]] = []

    def add(self, sample: Sample) -> list[str]:
        """Write a sample's versions; return the names of their files."""
        number = len(self._index) + 1
        names = [
            signal.file_name(number, place) for place, signal in enumerate(sample.signals, start=1)
        ]
        for signal, name in zip(sample.signals, names, strict=True):
            with atomic_path(self.folder / name) as temporary:
                temporary.write_bytes(signal.encoded("WAV"))
        entry = {"number": number, "utterance_id": sample.utterance_id, "chosen_as": sample.why}
        self._index.append({**entry, "files": names})
        return names

    def close(self) -> None:
        """Write ``samples.json``."""
        text = json.dumps(self._index, ensure_ascii=False, indent=2)
        write_text(self.folder / "samples.json", text + "\n")
