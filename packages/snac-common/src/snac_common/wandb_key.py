"""Whether Weights & Biases can be reached; what logs to it is the commands' own."""

import os
import sys
from netrc import NetrcParseError, netrc
from urllib.parse import urlparse

from snac_common.console import note


def choose_mode(mode: str) -> str:
    """Return the mode that can be had: ``online`` needs a key, or a terminal to ask for one."""
    if mode == "online" and not _has_key() and not sys.stdin.isatty():
        note("W&B: there is no key (WANDB_API_KEY, or wandb login), so the run is kept offline")
        return "offline"
    return mode


def _has_key() -> bool:
    """Look where ``wandb login`` leaves a key."""
    if os.environ.get("WANDB_API_KEY"):
        return True
    host = urlparse(os.environ.get("WANDB_BASE_URL", "https://api.wandb.ai")).hostname or ""
    try:
        return netrc(os.environ.get("NETRC")).authenticators(host) is not None
    except (OSError, NetrcParseError):
        return False
