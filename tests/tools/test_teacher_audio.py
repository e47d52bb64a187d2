"""A teacher's audio as targets: what its decoder makes of the codes, to the sample."""

from pathlib import Path

import pyarrow.parquet as pq
import soundfile
import torch
from training import SMALL_CODEC, make_cache, write_voice
from workplace import succeed

from snac_cache.store.code_store import CodeStore
from snac_model import load, save
from snac_model.audio.reading import read_mono, resample
from snac_model.layers.noise import no_noise


def test_targets_are_what_the_teacher_decodes(tmp_path: Path) -> None:
    save(SMALL_CODEC(), tmp_path / "small")
    for split, seconds in (("train", 0.7), ("val", 0.41)):
        write_voice(tmp_path / f"in/{split}/a.wav", seconds, 1)
    artifacts = tmp_path / "artifacts"
    codes = make_cache(tmp_path / "in", artifacts, tmp_path / "small")
    place = ["--artifacts", artifacts, "-o", tmp_path / "out"]
    done = succeed("tools.teacher_audio", tmp_path / "small", *place)
    assert done["utterances"] == {"train": 1, "val": 1}
    for split in ("train", "val"):
        (row,) = pq.read_table(tmp_path / f"out/manifests/{split}.parquet").to_pylist()
        store = CodeStore(codes, split, tmp_path / "out/manifests")  # they are rows of the cache
        assert (len(store), store[0].target_path) == (1, row["target_path"])
        audio, rate = read_mono(row["target_path"])
        assert (rate, len(audio)) == (48_000, soundfile.info(row["audio_path"]).frames)
        levels = [torch.from_numpy(level.astype("int64"))[None] for level in store.codes(0)]
        heard = load(tmp_path / "small").decode(levels, no_noise)[0, 0, : store[0].num_samples]
        torch.testing.assert_close(audio, resample(heard, 24_000, 48_000), rtol=0, atol=1e-4)
