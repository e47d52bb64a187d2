"""What training rows cost: snac-tokens over a fabricated cache, at a tenth of its size and whole.

    uv run python tools/bench/tokens.py --folder /tmp --divide-by 10

Text is encoded by a byte-level tokenizer, trained on the fabricated texts. Processor time is that
of all threads; the peak of memory is that of the whole process, mapped pages included.
"""

import json
import os
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click
import pyarrow.parquet as pq

from snac_common.tool import Tool

FULL_SIZE = {"train": 3_447_109, "val": 55_419}
TOOLS = Path(__file__).parents[1]
WORDS, TEXTS = 8000, 20_000
FORMS = {
    "text and codes": [],
    "a row each": ["--tokenizer", "TOKENIZER", "--max-tokens", "2048"],
    "packed": ["--tokenizer", "TOKENIZER", "--max-tokens", "2048", "--pack", "8192"],
}


@dataclass(frozen=True)
class Cost:
    """What one call took, and what it said."""

    seconds: float
    cpu_seconds: float
    gibibytes: float
    written: float
    said: dict[str, Any]


@click.command(cls=Tool, example="bench/tokens.py --folder /tmp --divide-by 10")
@click.option("--folder", type=click.Path(exists=True, path_type=Path), help="For 12 GB of files.")
@click.option("--divide-by", default=1, help="Measure a fraction of the full size.")
def main(folder: Path | None, divide_by: int) -> None:
    """Fabricate caches of N/10 and N rows, make rows of each, print a Markdown table."""
    print("| rows | form | CPU s | s | peak GiB | GB written | full |")
    print("| ---: | --- | ---: | ---: | ---: | ---: | ---: |")
    for share in (10 * divide_by, divide_by):
        size = {split: max(count // share, 1) for split, count in FULL_SIZE.items()}
        with tempfile.TemporaryDirectory(dir=folder) as name:
            root = Path(name)
            fabricate(root, size)
            for form, options in FORMS.items():
                show(sum(size.values()), form, measure(root, options))


def fabricate(root: Path, size: dict[str, int]) -> None:
    """Make a cache, and a tokenizer of its texts in ``tokenizer/``."""
    counts = [f"--{split}={count}" for split, count in size.items()]
    tool = TOOLS / "fabricate_cache.py"
    subprocess.run(
        [sys.executable, tool, "-o", root, "-q", *counts], check=True, stdout=subprocess.DEVNULL
    )
    train_tokenizer(root / "manifests/val.parquet", root / "tokenizer")


def train_tokenizer(manifest: Path, folder: Path) -> None:
    """Write a byte-level tokenizer that was trained on some texts."""
    from tokenizers import Tokenizer, models, pre_tokenizers, trainers

    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    texts = pq.read_table(manifest, columns=["text"]).slice(0, TEXTS)["text"].to_pylist()
    trainer = trainers.BpeTrainer(vocab_size=WORDS, show_progress=False)
    tokenizer.train_from_iterator(texts, trainer)
    folder.mkdir()
    tokenizer.save(str(folder / "tokenizer.json"))


def measure(root: Path, options: list[str]) -> Cost:
    """Run the command in a process of its own."""
    given = [option.replace("TOKENIZER", str(root / "tokenizer")) for option in options]
    output = root / "rows"
    prompt = ["--prompt", "{speaker}: {text}", "--overwrite", "-q"]
    command = ["-m", "snac_cache.cli.tokens", "-o", output, "--artifacts", root, *prompt, *given]
    started = time.monotonic()
    process = subprocess.Popen([sys.executable, *map(str, command)], stdout=subprocess.PIPE)
    assert process.stdout is not None
    said = process.stdout.read()
    _, status, usage = os.wait4(process.pid, 0)
    if status:
        raise RuntimeError(f"snac-tokens ended with {os.waitstatus_to_exitcode(status)}")
    return Cost(
        seconds=time.monotonic() - started,
        cpu_seconds=usage.ru_utime + usage.ru_stime,
        gibibytes=usage.ru_maxrss / 2**20,
        written=sum(path.stat().st_size for path in output.rglob("*.parquet")) / 1e9,
        said=json.loads(said.splitlines()[-1]),
    )


def show(rows: int, form: str, cost: Cost) -> None:
    """Print a line of the table."""
    full = cost.said["filled"]
    print(
        f"| {rows:,} | {form} | {cost.cpu_seconds:.0f} | {cost.seconds:.0f} | "
        f"{cost.gibibytes:.2f} | {cost.written:.2f} | {'' if full is None else f'{full:.1%}'} |",
        flush=True,
    )


if __name__ == "__main__":
    main()
