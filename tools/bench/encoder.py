"""Encoding by one thread: the official package, our encoder as a whole, and in lengths.

Each is a process of its own, and they take turns, piece of audio by piece. What is compared is the
least processor time of several turns, which other work on the machine disturbs the least.
"""

import multiprocessing
import time
from multiprocessing.connection import Connection

import click
import snac
import torch

from snac_common.devices import prepare_cpu_worker
from snac_common.tool import Tool
from snac_model import SNAC
from snac_model.shapes.config import SNAC_24KHZ

WAYS = ("official package", "ours, as a whole", "ours, in lengths")


@click.command(cls=Tool, example="bench/encoder.py --seconds 1,2.7,10")
@click.option("--seconds", default="1,2.7,4.5,10", help="Lengths of audio.")
@click.option("--turns", default=8)
def main(seconds: str, turns: int) -> None:
    """Encode noise in all ways and print a Markdown table."""
    lengths = [float(number) for number in seconds.split(",")]
    processes = [start(way) for way in WAYS]
    print("| CPU ms for 1 s of audio | " + " | ".join(f"{length:g} s" for length in lengths) + " |")
    print("| --- |" + " ---: |" * len(lengths))
    best = {
        length: [min(turn) for turn in zip(*rounds(processes, length, turns), strict=True)]
        for length in lengths
    }
    for index, way in enumerate(WAYS):
        cells = [
            f"{1000 * times[index] / length:.0f} ({times[0] / times[index]:.2f})"
            for length, times in best.items()
        ]
        print(f"| {way} | " + " | ".join(cells) + " |")
    for process in processes:
        process.send(None)


def start(way: str) -> Connection:
    """Start the process of one way."""
    here, there = multiprocessing.get_context("spawn").Pipe()
    process = multiprocessing.get_context("spawn").Process(
        target=encode_forever, args=(way, there), daemon=True
    )
    process.start()
    return here


def rounds(processes: list[Connection], length: float, turns: int) -> list[list[float]]:
    """Return the processor time of each way in each turn."""
    return [[ask(process, length) for process in processes] for _ in range(turns)]


def ask(process: Connection, length: float) -> float:
    """Have a process encode once; returns its processor time in seconds."""
    process.send(length)
    return process.recv()


@torch.inference_mode()
def encode_forever(way: str, orders: Connection) -> None:
    """Encode noise of each length asked for, and answer with the processor time it took."""
    torch.set_num_threads(1)
    torch.manual_seed(0)
    model = SNAC(**SNAC_24KHZ.to_dict()).eval()
    encode = model.encode
    if way == WAYS[0]:
        official = snac.SNAC(**SNAC_24KHZ.to_dict()).eval()
        official.load_state_dict(model.state_dict())
        encode = official.encode
    else:
        prepare_cpu_worker()
        model.fold_weight_norm()
    if way == WAYS[1]:
        model.encoder.forward = model.encoder.block.forward  # type: ignore[method-assign]
    while (seconds := orders.recv()) is not None:
        audio = 0.1 * torch.randn(1, 1, int(seconds * SNAC_24KHZ.sampling_rate))
        started = time.process_time()
        encode(audio)
        orders.send(time.process_time() - started)


if __name__ == "__main__":
    main()
