"""Addresses in object stores, and the folder on this machine that mirrors each of them.

``s3://bucket/prefix/x`` is the file ``MIRROR/s3/bucket/prefix/x``. So whatever works on paths works
on what is in a store, and the address of a path is told by the path alone.
"""

import os
import re
from functools import lru_cache
from pathlib import Path

from snac_common.errors import BadInput

ENVIRONMENT = "SNAC_MIRROR"
LISTED = ".listed"  # below the mirror: corpora in a store, of which only names and sizes are here
SCHEMES = ("s3", "gs", "az", "abfs", "hf", "memory")

# A Path makes one slash of the two. One letter before a colon would be a drive, not a scheme.
_ADDRESS = re.compile(r"(?P<scheme>[a-z][a-z0-9+]+):/{1,2}(?P<rest>[^/].*)", re.DOTALL)


def mirror() -> Path:
    """Return the folder of all mirrors: ``$SNAC_MIRROR``, else ``~/.cache/snac-mirror``."""
    given = os.environ.get(ENVIRONMENT)
    if not given:
        caches = os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")
        given = os.path.join(caches, "snac-mirror")
    return _resolved(given)


@lru_cache(maxsize=16)
def _resolved(path: str) -> Path:
    return Path(os.path.realpath(path))


def is_address(text: str | Path) -> bool:
    """Say whether a text is an address in an object store, not a path."""
    found = _ADDRESS.fullmatch(os.fspath(text))
    return bool(found and found["scheme"] in SCHEMES)


def local(where: str | Path, below: str = "") -> Path:
    """Return where an address is mirrored; any other text is a path as it is.

    Args:
        below: a folder of the mirror, such as ``LISTED``.
    """
    if not is_address(where):
        return Path(where)
    return mirror().joinpath(below, *_steps(where))


def place(where: str | Path, below: str = "") -> Path:
    """Return ``local`` of what a person gave.

    Raises:
        BadInput: if it is an address of a kind that is not known, or has a name with a dot in
            front, which no store gets.
    """
    text = os.fspath(where)
    if "://" in text[:12] and not is_address(text):
        kinds = ", ".join(f"{scheme}://" for scheme in SCHEMES[:-1])
        raise BadInput(f"{text} is no address that can be used. Known are {kinds}.")
    if is_address(text) and any(step.startswith(".") for step in _steps(text)):
        raise BadInput(f"{text}: a name in it begins with a dot; such names stay on one machine")
    return local(text, below)


def address(path: str | Path) -> str | None:
    """Return the address that a path mirrors; one that is an address already, as it is.

    None for a path that lies elsewhere, and for one with a name that begins with a dot: locks,
    decoded copies and what killed writers left are this machine's own.
    """
    if is_address(path):
        scheme, *steps = _steps(path)
        return f"{scheme}://{'/'.join(steps)}"
    root, text = os.fspath(mirror()), os.fspath(path)
    if not text.startswith(os.sep) or "/." in text or "//" in text:
        text = os.path.abspath(text)
    if not text.startswith(root + os.sep):
        return None
    steps = list(Path(text[len(root) :].lstrip(os.sep)).parts)
    steps = steps[1:] if steps[0] == LISTED else steps
    if len(steps) < 2 or steps[0] not in SCHEMES or any(step[0] == "." for step in steps):
        return None
    return f"{steps[0]}://{'/'.join(steps[1:])}"


def said(where: str | Path) -> str:
    """Return a path as it is written down for other machines: as its address, if it has one."""
    return address(where) or os.fspath(where)


def with_addresses(text: str) -> str:
    """Return a message with addresses in the place of paths in the mirror."""
    root = re.escape(os.fspath(mirror()))
    schemes = "|".join(SCHEMES)
    return re.sub(rf"{root}/(?:{re.escape(LISTED)}/)?({schemes})/", r"\1://", text)


def _steps(where: str | Path) -> list[str]:
    """Return an address's scheme, bucket and names."""
    found = _ADDRESS.fullmatch(os.fspath(where))
    assert found is not None
    return [found["scheme"], *(step for step in found["rest"].split("/") if step)]
