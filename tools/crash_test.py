"""Kill snac-cache and snac-upsample at random moments, carry on, and compare what comes of it.

    uv run python tools/crash_test.py ../shared/speech --kills 17

Each kind of work is done once undisturbed, and then between kills: of the command alone, of one
worker, of all processes at once, or by a disk that is full. After each the same command carries on,
until it comes to its end. Then its folder must be that of the undisturbed work, byte for byte, and
each utterance cached or rejected. Processes are forked with torch loaded, as in the tests.
"""

import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from multiprocessing import forkserver
from pathlib import Path

import click
import soundfile

from snac_cache.manifests.read import read_manifest
from snac_cache.parquet import read_table
from snac_common.artifacts import SPLITS
from snac_common.console import note, print_summary
from snac_common.errors import Failure
from snac_common.tool import Tool

sys.path.append(str(Path(__file__).parents[1] / "tests"))
import killing

CACHE, UPSAMPLE, MANIFEST = (f"snac_cache.cli.{name}" for name in ("cache", "upsample", "manifest"))
PRELOADED = [CACHE, "snac_cache.encoding.encode_parts", UPSAMPLE, "snac_cache.targets.make_parts"]
VICTIMS = ("the command", "a worker", "all processes", "the disk")
UNSEEN = (".partial", ".lock", ".planning", ".state.json")


@dataclass
class Kind:
    """One kind of work: its command, and how its folder looks before and after it.

    Attributes:
        arguments: of the command, given the folder.
        before: a folder to start from; none starts from nothing.
        whole: the files that the undisturbed work left, and how many seconds it took.
    """

    name: str
    module: str
    arguments: Callable[[Path], list[object]]
    before: Path | None = None
    whole: dict[str, bytes] = field(default_factory=dict)
    seconds: float = 0.0

    def prepare(self, folder: Path) -> None:
        """Make the folder as it is before the work."""
        if self.before:
            shutil.copytree(self.before, folder, dirs_exist_ok=True)


@dataclass
class Tally:
    """What was tried and seen of one kind of work and one kind of victim."""

    kills: int = 0
    folders: int = 0
    leftovers: int = 0


@click.command(cls=Tool, example="crash_test.py ../shared/speech --kills 17")
@click.argument("folder", type=click.Path(exists=True, path_type=Path))
@click.option("--kills", default=5, help="Of each victim in each kind of work.")
@click.option("--utterances", default=24, help="That the work is done on.")
@click.option("--seed", default=0, help="Decides the moments.")
def main(*, folder: Path, kills: int, utterances: int, seed: int) -> None:
    """Work on a few files of FOLDER undisturbed and between kills; print a Markdown table."""
    forkserver.set_forkserver_preload([*PRELOADED, "killing"])
    moments = random.Random(seed)
    total = 0
    print("| work | killed | times | folders compared | temporary files left |")
    print("| --- | --- | ---: | ---: | ---: |")
    with tempfile.TemporaryDirectory(prefix="snac-crash-") as name:
        work = Path(name)
        corpus(folder, work, utterances, moments)
        for kind in kinds(work):
            undisturbed(kind, work)
            for victim in VICTIMS:
                disturb = fill_disks if victim == "the disk" else kill_often
                tally = disturb(kind, victim, kills, moments, work)
                total += tally.kills
                cells = (kind.name, victim, tally.kills, tally.folders, tally.leftovers)
                print("| " + " | ".join(map(str, cells)) + " |", flush=True)
    print_summary(kills=total, identical=True)


def corpus(folder: Path, work: Path, utterances: int, moments: random.Random) -> None:
    """Copy files, list half of them and all of them, and take a few away again."""
    files = sorted(path for path in folder.rglob("*") if path.suffix in (".flac", ".ogg", ".wav"))
    moments.shuffle(files)
    long_enough = (path for path in files if 1 < soundfile.info(path).duration < 4)
    copies = [work / "in" / f"{number:03}" for number in range(utterances)]
    (work / "in").mkdir()
    for number, (path, copy) in enumerate(zip(long_enough, copies, strict=False)):
        shutil.copy(path, copy.with_suffix(path.suffix))
        if number + 1 in (utterances // 2, utterances):
            manifests = work / ("all" if number + 1 == utterances else "half")
            run(MANIFEST, [work / "in", "-o", manifests, "--val-ratio", 0.1], work)
    for path in sorted((work / "in").iterdir())[5::9]:
        path.unlink()


def kinds(work: Path) -> list[Kind]:
    """Return the kinds of work."""
    common = ["--device", "cpu", "--workers", 2, "--part-rows", 3, "--max-reject-rate", 0.5]
    encoded = ["--model", "builtin:speech-small", *common]

    def cache(folder: Path) -> list[object]:
        return ["--manifest", work / "all", "--codes", folder, *encoded]

    def append(folder: Path) -> list[object]:
        return [*cache(folder), "--append"]

    def upsample(folder: Path) -> list[object]:
        places = ["--targets", folder / "audio48k", "-o", folder / "manifests"]
        return ["--manifest", work / "all", *places, "--engine", "resample", *common]

    half = ["--manifest", work / "half", "--codes", work / "half-cached", *encoded]
    run(CACHE, half, work)
    return [
        Kind("snac-cache", CACHE, cache),
        Kind("snac-cache --append", CACHE, append, work / "half-cached"),
        Kind("snac-upsample", UPSAMPLE, upsample),
    ]


def undisturbed(kind: Kind, work: Path) -> None:
    """Do the work once without any kill, and keep what came of it.

    Always in a folder of one name, which may stand in what is written.
    """
    folder = work / "done"
    kind.prepare(folder)
    started = time.monotonic()
    run(kind.module, kind.arguments(folder), work)
    kind.seconds = time.monotonic() - started
    kind.whole = visible(folder)
    check(kind, folder, work)
    shutil.rmtree(folder)
    note(f"{kind.name}: {len(kind.whole)} files in {kind.seconds:.1f} s")


def kill_often(kind: Kind, victim: str, kills: int, moments: random.Random, work: Path) -> Tally:
    """Kill and carry on; compare and begin anew whenever the command comes to its end."""
    tally, folder = Tally(), work / "done"
    while tally.kills < kills or folder.exists():
        if not folder.exists():
            kind.prepare(folder)
        delay = moments.uniform(0.02, 0.95) * kind.seconds
        if tally.kills < kills and kill_once(kind, victim, delay, moments, work):
            tally.kills += 1
            readable(folder)
            continue
        run(kind.module, kind.arguments(folder), work)
        compare(kind, folder, work, tally)
    return tally


def kill_once(kind: Kind, victim: str, delay: float, moments: random.Random, work: Path) -> bool:
    """Start the command and kill the victim after a while; say whether it still ran then."""
    others = set(forked())
    process = killing.start(kind.module, kind.arguments(work / "done"), log=work / "log")
    process.join(delay)
    own = [pid for pid in forked() if pid not in others and pid != process.pid]
    while victim == "a worker" and not own and process.exitcode is None:
        process.join(0.02)
        own = [pid for pid in forked() if pid not in others and pid != process.pid]
    if process.exitcode is not None:
        return False
    command = [process.pid or 0]
    chosen = {"the command": command, "a worker": own, "all processes": command + own}[victim]
    for pid in [moments.choice(own)] if victim == "a worker" else chosen:
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    process.join()
    expected = 1 if victim == "a worker" else -signal.SIGKILL
    if process.exitcode not in (0, expected):
        raise Failure(f"{kind.name} ended with {process.exitcode}: see {work / 'log'}")
    return process.exitcode == expected


def fill_disks(kind: Kind, victim: str, kills: int, moments: random.Random, work: Path) -> Tally:
    """Do the work on disks that are too small, then enlarge each and carry on."""
    tally, folder = Tally(), work / "done"
    needed = sum(4096 + len(content) for content in kind.whole.values())
    while tally.kills < kills:
        folder.mkdir()
        size = int(moments.uniform(0.05, 0.95) * needed)
        mount = ["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(folder)]
        subprocess.run(mount, check=True)
        try:
            with suppress(OSError):  # too small even for what was there before
                kind.prepare(folder)
                tally.kills += fails_for_room(kind, folder, work)
            subprocess.run(["mount", "-o", "remount,size=1G", str(folder)], check=True)
            kind.prepare(folder)
            run(kind.module, kind.arguments(folder), work)
            compare(kind, folder, work, tally, keep=True)
        finally:
            subprocess.run(["umount", str(folder)], check=True)
        folder.rmdir()
    return tally


def fails_for_room(kind: Kind, folder: Path, work: Path) -> bool:
    """Run the command on a full disk; its message must say so. False if there was room enough."""
    log = work / "log"
    log.unlink(missing_ok=True)
    code = killing.run_command(kind.module, kind.arguments(folder), log=log)
    said = log.read_text()
    if code not in (0, 1) or "Traceback" in said or (code and "No space left" not in said):
        raise Failure(f"{kind.name} ended with {code} on a full disk:\n{said}")
    readable(folder)
    return code == 1


def compare(kind: Kind, folder: Path, work: Path, tally: Tally, *, keep: bool = False) -> None:
    """Compare a folder with that of the undisturbed work, and delete it."""
    found = visible(folder)
    if found != kind.whole:
        names = sorted(n for n in {*found, *kind.whole} if found.get(n) != kind.whole.get(n))
        kept = shutil.copytree(folder, Path(tempfile.mkdtemp(prefix="snac-differs-")) / "done")
        raise Failure(f"{kind.name}: not what undisturbed work gives: {names}, see {kept}")
    check(kind, folder, work)
    tally.folders += 1
    tally.leftovers += sum(path.suffix == ".partial" for path in folder.rglob("*"))
    if not keep:
        shutil.rmtree(folder)


def check(kind: Kind, folder: Path, work: Path) -> None:
    """Raise Failure unless each utterance is there or rejected, once."""
    rows = read_manifest(work / "all")
    expected = sorted(name for split in SPLITS for name in rows[split]["utterance_id"].to_pylist())
    if kind.module == UPSAMPLE:
        files = [*folder.glob("audio48k/parts/*/*.parquet")]
    else:
        files = [*folder.glob("train/*.parquet"), *folder.glob("val/*.parquet")]
        files += folder.glob("rejects/*.parquet")
    found = sorted(name for file in files for name in read_table(file)["utterance_id"].to_pylist())
    if found != expected:
        raise Failure(f"{kind.name}: {len(found)} of {len(expected)} utterances are accounted for")


def readable(folder: Path) -> None:
    """Read all that a reader may meet, to its last byte; raises whatever is wrong with it."""
    for name in visible(folder):
        if name.endswith(".parquet"):
            read_table(folder / name)
        elif name.endswith(".flac"):
            soundfile.read(folder / name)


def visible(folder: Path) -> dict[str, bytes]:
    """Return every file that a reader can see."""
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and not path.name.endswith(UNSEEN)
    }


def run(module: str, arguments: list[object], work: Path) -> None:
    """Run a command that must succeed."""
    if code := killing.run_command(module, arguments, log=work / "log"):
        raise Failure(f"{module} ended with {code}:\n{(work / 'log').read_text()[-2000:]}")


def forked() -> list[int]:
    """Return the processes that the fork server has forked."""
    forkserver.ensure_running()
    server = forkserver._forkserver._forkserver_pid  # type: ignore[attr-defined]
    return list(map(int, Path(f"/proc/{server}/task/{server}/children").read_text().split()))


if __name__ == "__main__":
    main()
