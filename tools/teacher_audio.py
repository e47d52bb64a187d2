"""Decode a cache with a model, and write manifests in which this audio is the 48 kHz target.

    uv run python tools/teacher_audio.py builtin:speech-small -o artifacts/teacher

What imitates a decoder then reads its audio, in place of decoding anew in every step, which gives
three times as many steps on a CPU (docs/fast.md). The audio is without noise, resampled to 48 kHz,
and as long as each source.
"""

from pathlib import Path

import click
import pyarrow as pa
import pyarrow.compute as pc
import soundfile
import torch

from snac_cache.manifests.read import read_manifest
from snac_cache.parquet import write_table
from snac_cache.schema import TARGET_RATE
from snac_cache.store.code_store import CachedUtterance, CodeStore
from snac_common.artifacts import SPLITS, Artifacts
from snac_common.console import print_summary
from snac_common.options import artifacts_option
from snac_common.progress import track
from snac_common.tool import Tool
from snac_model import SNAC, load
from snac_model.audio.reading import resample
from snac_model.layers.noise import no_noise


@click.command(cls=Tool, example="teacher_audio.py builtin:speech-small -o artifacts/teacher")
@click.argument("model")
@click.option("-o", "--output", required=True, type=click.Path(path_type=Path), metavar="DIR")
@artifacts_option
@torch.inference_mode()
def main(*, model: str, output: Path, artifacts: Path | None) -> None:
    """Decode the cached codes with MODEL into DIR/train and DIR/val, with DIR/manifests."""
    places = Artifacts.at(artifacts)
    teacher = load(model).fold_weight_norm()
    manifest = read_manifest(places.manifests)
    utterances = {}
    for split in SPLITS:
        store = CodeStore(places.codes, split, places.manifests)
        folder = output.absolute() / split
        folder.mkdir(parents=True, exist_ok=True)
        files = {
            store[index].utterance_id: decode(teacher, store, index, folder)
            for index in track(range(len(store)), len(store), f"decode {split}", "utterances")
        }
        rows = with_targets(manifest[split], files)
        write_table(rows, output / "manifests" / f"{split}.parquet")
        utterances[split] = len(files)
    print_summary(manifest=str(output / "manifests"), utterances=utterances)


def decode(teacher: SNAC, store: CodeStore, index: int, folder: Path) -> str:
    """Write the teacher's audio of an utterance as flac; return the file's path."""
    utterance = store[index]
    codes = [torch.from_numpy(level.astype("int64"))[None] for level in store.codes(index)]
    audio = teacher.trim(teacher.decode_by_rate(codes, no_noise), utterance.num_samples)
    rate = max(audio)
    path = folder / f"{index:08d}.flac"
    target = fitted(resample(audio[rate][0, 0], rate, TARGET_RATE), utterance)
    soundfile.write(path, target.numpy(), TARGET_RATE, "PCM_16")
    return str(path)


def fitted(audio: torch.Tensor, utterance: CachedUtterance) -> torch.Tensor:
    """Return audio ``[T]`` as long as the utterance's target must be."""
    frames = -(-utterance.num_frames * TARGET_RATE // utterance.source_sample_rate)
    return torch.nn.functional.pad(audio, (0, max(0, frames - len(audio))))[:frames]


def with_targets(rows: pa.Table, files: dict[str, str]) -> pa.Table:
    """Return those rows of a manifest that have a file, with it as their target, as it is."""
    rows = rows.filter(pc.is_in(rows["utterance_id"], pa.array(list(files))))
    said = {
        "target_path": [files[name] for name in rows["utterance_id"].to_pylist()],
        "target_lag_samples": [0] * rows.num_rows,
        "target_gain_db": [0.0] * rows.num_rows,
        "bandwidth_hz": [None] * rows.num_rows,
    }
    for name, values in said.items():
        at = rows.schema.get_field_index(name)
        field = rows.schema.field(at)
        rows = rows.set_column(at, field, pa.array(values, field.type))
    return rows


if __name__ == "__main__":
    main()
