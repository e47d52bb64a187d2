"""Print the metrics of a small fixed run.

After a meant change, ``python curve.py NAME > NAME.jsonl``; NAME is ``curve``, of phase 12,
``adversarial``, of the same with discriminators, or ``fast``, of a Fourier decoder.

Nearly the same on every x86-64 processor: the audio is made of whole numbers, and ``PORTABLE``
keeps torch, oneDNN and MKL to the instructions that all of them have, on one thread. Two processors
have been seen to differ in the seventh digit at step 4, and in the sixth at step 8. On a third, the
gradient of step 5 was another by 2.4 %, as some magnitude of a spectrum is nearly 0 there, and
losses were others by up to 0.07 % from then on.
"""

import json
import os
import sys
import tempfile
from pathlib import Path

import numpy as np
import soundfile

sys.path.insert(0, str(Path(__file__).parents[2]))

PORTABLE = {
    "ATEN_CPU_CAPABILITY": "default",
    "ONEDNN_MAX_CPU_ISA": "SSE41",
    "MKL_CBWR": "COMPATIBLE",
    "OMP_NUM_THREADS": "1",
    "MKL_NUM_THREADS": "1",
}


def write_saws(path: Path, frames: int, seed: int) -> None:
    """Write a few saws of rising pitch, in whole numbers."""
    time = np.arange(frames, dtype=np.int64)
    phases = [time * (400 + 7 * seed + time // (90 + pitch)) * pitch for pitch in (1, 2, 5)]
    saws = np.sum([phase % 65_536 for phase in phases], axis=0)
    path.parent.mkdir(parents=True, exist_ok=True)
    soundfile.write(path, ((saws - 98_304) // 8).astype(np.int16), 48_000, subtype="PCM_16")


def main(name: str) -> None:
    """Make a codec, audio and a cache, train, and print what was measured."""
    from training import SMALL_CODEC, make_cache, manifest_of, small_recipe
    from whole_runs import adversarial_recipe, fast_recipe

    from snac_model import save
    from snac_train.session.train import Request, train

    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        save(SMALL_CODEC(), root / "model")
        for seed, frames in enumerate((9_000, 14_001, 21_500, 30_000)):
            write_saws(root / f"in/train/{seed}.wav", frames, seed)
            write_saws(root / f"in/val/{seed}.wav", frames, seed + 10)
        codes = make_cache(root / "in", root / "artifacts", root / "model")
        recipes = {"curve": small_recipe, "adversarial": adversarial_recipe, "fast": fast_recipe}
        recipe = recipes[name](validation__batch_size="3")
        train(recipe, Request(codes, manifest_of(codes), root / "run", "cpu"))
        for line in (root / "run/metrics.jsonl").read_text().splitlines():
            entry = json.loads(line)
            for speed in ("samples_per_s", "waited_for_data"):
                entry.pop(speed, None)
            print(json.dumps(entry))


if __name__ == "__main__":
    if any(os.environ.get(variable) != value for variable, value in PORTABLE.items()):
        os.execve(sys.executable, [sys.executable, *sys.argv], {**os.environ, **PORTABLE})
    main(sys.argv[1])
