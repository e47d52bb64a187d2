"""Reaching an object store through fsspec, and what to tell people when that fails."""

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from snac_common.errors import Failure

# Of one request. botocore's "standard" mode waits up to 20 s between tries, half a minute in all;
# s3fs does that up to five times.
TRIES, CONNECT_S, READ_S = 8, 10, 60
CARRIES_ON = "When it can be reached again, the same command carries on."
_DISK = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS}
_CREDENTIALS = (
    "Credentials are taken from where the store's own tools take them: for s3://, the variables "
    "AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, AWS_PROFILE, or the machine's role."
)


def filesystem(scheme: str) -> Any:
    """Return fsspec's file system; it keeps one for each process and its forks."""
    import fsspec

    options: dict[str, Any] = {"use_listings_cache": False}
    if scheme == "s3":
        config: dict[str, Any] = {
            "connect_timeout": CONNECT_S,
            "read_timeout": READ_S,
            "max_pool_connections": 64,
        }
        if "AWS_MAX_ATTEMPTS" not in os.environ:
            config["retries"] = {"mode": "standard", "max_attempts": TRIES}
        options["config_kwargs"] = config
    return fsspec.filesystem(scheme, **options)


@contextmanager
def telling(doing: str, address: str) -> Iterator[tuple[Any, str]]:
    """Yield the file system of an address and the path in it; say in words what goes wrong.

    Args:
        doing: what is done within, such as ``read``.

    Raises:
        FileNotFoundError: if there is no such object.
        Failure: for anything else that the store or the way to it has to do with.
    """
    scheme, _, key = address.partition("://")
    try:
        yield filesystem(scheme), key
    except (Failure, GeneratorExit):
        raise
    except ImportError as error:
        raise Failure(_what_to_install(scheme, error)) from error
    except FileNotFoundError as error:
        if "bucket does not exist" not in str(error).lower():
            raise FileNotFoundError(errno.ENOENT, "there is no such object", address) from error
        raise Failure(
            f"there is no bucket {key.partition('/')[0]}: {error}. Make it, or see to the name and "
            f"to the store's address (for s3://, AWS_ENDPOINT_URL)."
        ) from error
    except OSError as error:
        if error.errno in _DISK:
            raise
        raise _refused(doing, address, error) from error
    except Exception as error:  # each library has its own, which it imports when it is used
        raise _refused(doing, address, error) from error


def _refused(doing: str, address: str, error: Exception) -> Failure:
    reason = " ".join(str(error).split()) or type(error).__name__
    kind = type(error).__name__
    start = f"cannot {doing} {address}: {reason}."
    if isinstance(error, PermissionError) or "Credential" in kind:
        return Failure(f"{start} {_CREDENTIALS}")
    return Failure(f"{start} {CARRIES_ON}")


def _what_to_install(scheme: str, error: ImportError) -> str:
    if scheme == "s3":
        return "s3:// needs one more package: pip install 's3fs>=2025.3'"
    return f"{scheme}:// needs one more package: {error}"
