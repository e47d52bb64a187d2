"""Two paths change places in one step, where the system can do that."""

import ctypes
import os
from pathlib import Path

_AT_WORKING_FOLDER = -100
_EXCHANGE = 2  # a flag of Linux's renameat2


def exchange(one: Path, other: Path) -> bool:
    """Let two paths that both exist change places, so that neither is ever absent.

    Returns:
        Whether it was done: some systems and file systems (NFS among them) cannot.
    """
    renameat2 = getattr(ctypes.CDLL(None, use_errno=True), "renameat2", None)
    if renameat2 is None:
        return False
    paths = [_AT_WORKING_FOLDER, os.fsencode(one), _AT_WORKING_FOLDER, os.fsencode(other)]
    return bool(renameat2(*paths, ctypes.c_uint(_EXCHANGE)) == 0)
