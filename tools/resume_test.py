"""Interrupt training at random moments, resume it each time, and compare it with a whole run.

    uv run python tools/resume_test.py --moments 100

A small codec is trained on made audio, of which one file is gone. Each kind of interruption in turn
hits a run anywhere between its first line and its last; the run is resumed until it has finished.
Then its models, checkpoints, metrics and rejects must be an uninterrupted run's, bit for bit.
Processes are forked with torch loaded, as in the tests.
"""

import json
import os
import random
import resource
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from multiprocessing import forkserver
from multiprocessing.context import ForkServerProcess
from pathlib import Path
from typing import Any

import click

from snac_common.console import note, print_summary
from snac_common.errors import Failure
from snac_common.tool import Tool
from snac_model import save

sys.path.append(str(Path(__file__).parents[1] / "tests"))
import killing
import training
import whole_runs

MORE = ("--max-reject-rate", 0.5, "--set", "checkpoint.keep=1000")
LATEST = 0.95  # of an uninterrupted run's time; what finishes earlier is tried again
PATIENCE_S = 60.0  # with a process whose partner was killed
SMALLEST_FILE, LARGEST_FILE = 8_000, 60_000  # bytes: the log has room, a checkpoint has none

Processes = list[ForkServerProcess]


@dataclass(frozen=True)
class Kind:
    """One kind of interruption: what is done to which processes, and the exit code that follows.

    Attributes:
        times: how many starts of a run are interrupted before it may finish.
    """

    name: str
    interrupt: Callable[[Processes, random.Random], None]
    code: int
    processes: int = 1
    workers: int = 0
    times: int = 1


def to_group(processes: Processes, moments: random.Random, *, number: int, repeat: int = 1) -> None:
    """Signal the group of each process, and again within half a second."""
    for left in reversed(range(repeat)):
        for process in processes:
            with suppress(ProcessLookupError):  # it has ended
                os.killpg(process.pid or 0, number)
        time.sleep(moments.uniform(0, 0.5) if left else 0)


def kill_one(processes: Processes, moments: random.Random) -> None:
    """Kill one of the processes, and end the other if it waits for that one in vain."""
    victim = moments.choice(processes)
    victim.kill()
    for other in processes:
        other.join(PATIENCE_S)
        if other.exitcode is None:
            note(f"a process had to be ended {PATIENCE_S:g} s after its partner was killed")
            other.kill()


def fill_disk(processes: Processes, moments: random.Random) -> None:
    """Let no file grow beyond a size that a checkpoint, or all the metrics, have not room in."""
    limit = moments.randrange(SMALLEST_FILE, LARGEST_FILE)
    for process in processes:
        with suppress(ProcessLookupError):
            resource.prlimit(process.pid or 0, resource.RLIMIT_FSIZE, (limit, limit))


KILL = partial(to_group, number=signal.SIGKILL)
TERM = partial(to_group, number=signal.SIGTERM)

KINDS = (
    Kind("SIGKILL to the group, two readers on", KILL, -signal.SIGKILL, workers=2),
    Kind("SIGKILL to one of two processes", kill_one, -signal.SIGKILL, processes=2),
    Kind("SIGKILL, and again while it resumes", KILL, -signal.SIGKILL, times=2),
    Kind("SIGTERM to the group, two readers on", TERM, 143, workers=2),
    Kind("SIGTERM to two processes", TERM, 143, processes=2),
    Kind("SIGTERM twice", partial(TERM, repeat=2), 143),
    Kind("SIGINT twice", partial(to_group, number=signal.SIGINT, repeat=2), 130),
    Kind("SIGHUP", partial(to_group, number=signal.SIGHUP), 143),
    Kind("the disk is full", fill_disk, 1),
)


@click.command(cls=Tool, example="resume_test.py --moments 100")
@click.option("--moments", "count", default=len(KINDS), help="Runs that are interrupted.")
@click.option("--seed", default=0, help="Decides the moments.")
def main(*, count: int, seed: int) -> None:
    """Interrupt runs in each way in turn, print a Markdown table, and fail if a run differs."""
    forkserver.set_forkserver_preload(killing.PRELOADED)
    moments = random.Random(seed)
    held: dict[str, list[bool]] = {kind.name: [] for kind in KINDS}
    with tempfile.TemporaryDirectory(prefix="snac-resume-") as name:
        work = Path(name)
        codes = corpus(work)
        whole = {n: Whole.of(work / f"whole-{n}", codes, n) for n in (1, 2)}
        for number in range(count):
            kind = KINDS[number % len(KINDS)]
            same = try_once(kind, whole[kind.processes], moments, work / "run", codes)
            held[kind.name].append(same)
            note(f"{number + 1} of {count}, {kind.name}: {'held' if same else 'DIFFERS'}")
    print("| interrupted by | times | bit-identical |\n| --- | ---: | ---: |")
    for name, results in held.items():
        print(f"| {name} | {len(results)} | {sum(results)} |")
    bad = sum(not same for results in held.values() for same in results)
    print_summary(moments=count, seed=seed, differ=bad, identical=not bad)
    sys.exit(bool(bad))


def corpus(work: Path) -> Path:
    """Make audio and codes of it, and take one file away; return the folder of the codes."""
    save(training.SMALL_CODEC(), work / "model")
    for number in range(7):
        training.write_voice(work / f"in/train/{number}.wav", 0.31 + 0.17 * number, number)
    for number in range(5):
        training.write_voice(work / f"in/val/{number}.wav", 0.2 + 0.19 * number, 100 + number)
    codes = training.make_cache(work / "in", work / "artifacts", work / "model")
    (work / "in/train/1.wav").unlink()
    return codes


@dataclass(frozen=True)
class Whole:
    """What an uninterrupted run left, and the seconds from its first line to its end."""

    left: dict[str, Any]
    seconds: float

    @classmethod
    def of(cls, root: Path, codes: Path, processes: int) -> "Whole":
        """Run it."""
        running = start(Kind("none", KILL, 0, processes), root, codes)
        wait_until_begun(running, root)
        begun = time.monotonic()
        finish(running, root)
        return cls(left_by(root), time.monotonic() - begun)


def try_once(kind: Kind, whole: Whole, moments: random.Random, root: Path, codes: Path) -> bool:
    """Interrupt a run, resume it to its end, and say whether it left what it should."""
    shutil.rmtree(root, ignore_errors=True)
    hits, problems = 0, set[str]()
    while hits < kind.times:
        running = start(kind, root, codes)
        wait_until_begun(running, root)
        time.sleep(moments.uniform(0, LATEST / kind.times) * whole.seconds)
        kind.interrupt(running, moments)
        ended = join(running)
        if not any(ended):
            note("finished before it was interrupted; starting it anew")
            shutil.rmtree(root)
            hits = 0
            continue
        hits += 1
        problems |= {*wrong_end(kind, ended, root)}
    finish(start(kind, root, codes), root)
    problems |= {*differences(left_by(root), whole.left)}
    if problems:
        kept = shutil.copytree(root, Path(tempfile.mkdtemp(prefix="snac-differs-")) / "root")
        note(f"{kind.name}: {', '.join(sorted(problems))}; see {kept}")
    return not problems


def start(kind: Kind, root: Path, codes: Path) -> Processes:
    """Start a run in ``root``, or go on with it."""
    root.mkdir(exist_ok=True)
    begun = (root / "runs/one/recipe.toml").exists()
    words = ["--workers", kind.workers, *MORE, *(["--resume"] if begun else [])]
    arguments = whole_runs.arguments(root, codes, *words)
    if kind.processes > 1:
        return killing.start_two(arguments, log=root / "log", own_group=True)
    group = killing.Surroundings(own_group=True)
    return [killing.start(killing.TRAIN, arguments, log=root / "log", surroundings=group)]


def wait_until_begun(processes: Processes, root: Path) -> None:
    """Return when ``run.json`` says that these processes train, or they have ended."""
    state = root / "runs/one/run.json"
    while processes[0].exitcode is None:
        if state.exists() and json.loads(state.read_text()).get("pid") == processes[0].pid:
            return
        time.sleep(0.01)


def finish(processes: Processes, root: Path) -> None:
    """Wait for a run that must end well."""
    if any(join(processes)):
        raise Failure(f"a run failed:\n{(root / 'log').read_text()[-2000:]}")


def join(processes: Processes) -> list[int]:
    """Wait for processes, and return their exit codes."""
    for process in processes:
        process.join()
    return [int(process.exitcode or 0) for process in processes]


def wrong_end(kind: Kind, ended: list[int], root: Path) -> Iterator[str]:
    """Say what was wrong with how an interrupted run ended."""
    if kind.code not in ended:
        yield f"exit codes {ended}, not {kind.code}"
    if kind.code >= 0 and "Traceback" in (root / "log").read_text():
        yield "a traceback"


def left_by(root: Path) -> dict[str, Any]:
    """Read all that two runs must agree in."""
    rejects = (root / "runs/one/rejects.jsonl").read_text().splitlines()
    return {**whole_runs.result(root), "rejects": rejects}


def differences(left: dict[str, Any], whole: dict[str, Any]) -> Iterator[str]:
    """Name what differs; checkpoints that signals asked for, at other steps, are no difference."""
    yield from (name for name in whole if name != "files" and left[name] != whole[name])
    files = whole["files"]
    yield from (name for name in files if left["files"].get(name) != files[name])


if __name__ == "__main__":
    main()
