"""Commands that outlive the terminal: started apart from it, watched until they are at work."""

import os
import shlex
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from snac_common.console import note
from snac_common.errors import Failure
from snac_common.hints import command_line
from snac_common.tails import last_lines

SECONDS_BETWEEN_LOOKS = 0.2
LINES_SHOWN = 15


def start_apart(
    module: str,
    arguments: Sequence[str],
    log: Path,
    *,
    inherits: Sequence[int] = (),
    variables: Mapping[str, str] | None = None,
) -> subprocess.Popen:
    """Start ``python -m MODULE`` in a session of its own; what it says goes to the end of a log.

    Args:
        inherits: open files that it is handed.
        variables: of its environment, beside those of this process.
    """
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("ab") as output:
        return subprocess.Popen(
            [sys.executable, "-m", module, *arguments],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,
            pass_fds=inherits,
            env={**os.environ, **(variables or {})},
        )


def wait_until_at_work(
    process: subprocess.Popen, is_at_work: Callable[[], bool], name: str, log: Path
) -> None:
    """Return when a process has begun its work, or has ended well already.

    Ended by a signal meanwhile, this ends the process too.

    Raises:
        Failure: if it ends before; with the end of its log.
    """
    try:
        while process.poll() is None and not is_at_work():
            time.sleep(SECONDS_BETWEEN_LOOKS)
    except BaseException:
        process.terminate()
        raise
    if process.returncode:
        lines = "\n".join(last_lines(log, LINES_SHOWN))
        raise Failure(f"{name} could not be started; {log} ends:\n{lines}")


def say_how_to_watch(said: str, log: Path, status: Sequence[str], stop: str, root: Path) -> None:
    """Say the commands that go with what was started.

    Args:
        said: what was started, such as ``first trains``.
        status: arguments of snac-status.
        stop: what snac-stop is to end.
        root: the artifact root.
    """
    note(f"{said} in the background:")
    note(f"  {command_line('snac-status', *status, root=root)}   how far it is, how fast")
    note(f"  tail -f {shlex.quote(str(log))}")
    note(f"  {command_line('snac-stop', stop, root=root)}   ends it; the same command goes on")
