"""The loop that people write around the official package: one file at a time."""

import json
import sys
from pathlib import Path

import numpy as np
import snac
import soundfile
import torch
import torchaudio


def main(work: Path, device: str) -> None:
    """Encode the files named in ``paths.json`` and keep their codes."""
    model = snac.SNAC.from_pretrained(str(work / "model")).to(device)
    codes = {}
    for index, path in enumerate(json.loads((work / "paths.json").read_text())):
        audio, rate = soundfile.read(path, dtype="float32", always_2d=True)
        mono = torch.from_numpy(audio.mean(axis=1))
        mono = torchaudio.functional.resample(mono, rate, model.sampling_rate)
        with torch.inference_mode():
            levels = model.encode(mono[None, None].to(device))
        for level, tokens in enumerate(levels):
            codes[f"{index}_{level}"] = tokens[0].cpu().numpy()
    np.savez(work / "official.npz", **codes)


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2])
