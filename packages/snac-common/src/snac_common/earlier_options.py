"""Options of the earlier scripts, and which of ours they became.

Names that differ in their underscores alone need no entry here.
"""

from collections.abc import Collection

_COMPUTING = {"gpu": "--gpus", "gpu-ids": "--gpus", "num-gpus": "--gpus 0,1,..."}
_READING = {"num-workers": "--workers"}
_SOURCES = "snac-manifest DIR first: it says which audio there is, and in which split"

ELSEWHERE: dict[str, dict[str, str]] = {
    "snac-manifest": {
        "input-dir": "the folder itself: snac-manifest DIR",
        "data-dir": "the folder itself: snac-manifest DIR",
        "train-dir": "--train DIR",
        "valid-dir": "--val DIR",
        "output-dir": "-o DIR",
        "train-ratio": "--val-ratio, the share that is not for training",
        "valid-ratio": "--val-ratio",
        **_READING,
    },
    "snac-upsample": {
        "input-dir": _SOURCES,
        "output-dir": "--targets DIR",
        **_COMPUTING,
        **_READING,
    },
    "snac-cache": {
        "input-dir": _SOURCES,
        "data-dir": _SOURCES,
        "train-dir": _SOURCES,
        "valid-dir": _SOURCES,
        "output-dir": "--codes DIR",
        "cache-dir": "--codes DIR",
        "split": "--manifest FILE, such as artifacts/manifests/val.parquet",
        "batch-size": "--batch-seconds",
        "pretrained-model": "--model",
        **_COMPUTING,
        **_READING,
    },
    "snac-train": {
        "output-dir": "--run NAME; results go to ARTIFACTS/runs/NAME",
        "experiment-name": "--run NAME",
        "cache-dir": "--codes DIR",
        "train-cache": "--codes DIR, which holds train/ and val/",
        "val-cache": "--codes DIR, which holds train/ and val/",
        "train-dir": _SOURCES,
        "valid-dir": _SOURCES,
        "train-data": _SOURCES,
        "val-data": _SOURCES,
        "audio-48k-dir": "snac-upsample --engine files --from DIR before, which takes such files",
        "phase10-checkpoint": "--base MODEL",
        "checkpoint": "--base MODEL to start from it, or --resume CHECKPOINT to go on",
        "resume-from": "--resume CHECKPOINT",
        "pretrained-model": "--base MODEL",
        "num-epochs": "--epochs",
        "learning-rate": "--main-lr, or --warmup-lr for the warm-up",
        "main-learning-rate": "--main-lr",
        "warmup-learning-rate": "--warmup-lr",
        "segment-length": "--segment-schedule S,...",
        "save-every": "--set checkpoint.every_steps=N",
        "save-every-batches": "--set checkpoint.every_steps=N",
        "save-every-minutes": "--set checkpoint.every_minutes=N",
        **_COMPUTING,
        **_READING,
    },
    "snac-eval": {
        "checkpoint": "the run or model itself: snac-eval RUN",
        "model": "the run or model itself: snac-eval RUN",
        "data-dirs": _SOURCES,
        "output-dir": "--name NAME; results go to ARTIFACTS/eval/NAME",
        "num-samples": "--samples",
        "segment-length": "--segment SECONDS",
        **_COMPUTING,
        **_READING,
    },
    "snac-encode": {"checkpoint": "--model", "output-dir": "-o FILE", **_READING},
    "snac-decode": {"checkpoint": "--model", "output-dir": "-o DIR", **_READING},
    "snac-export": {"checkpoint": "the run itself: snac-export RUN", "output-dir": "-o DIR"},
}


def where_it_went(command: str, option: str, known: Collection[str]) -> str | None:
    """Return what to write today for an option of the earlier scripts; None if that is unknown.

    Args:
        command: that was called, such as ``snac-train``.
        option: as it was written, such as ``--batch_size``.
        known: options that the command has.
    """
    ours = option.replace("_", "-")
    if ours in known:
        return ours
    return ELSEWHERE.get(command, {}).get(ours.lstrip("-"))
