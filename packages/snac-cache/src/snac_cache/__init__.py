"""Manifests of speech, cached SNAC codes in parquet, and the reader that training uses."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from snac_cache.store.code_store import CodeStore

__all__ = ["CodeStore"]


def __getattr__(name: str) -> Any:
    if name != "CodeStore":
        raise AttributeError(f"module 'snac_cache' has no attribute {name!r}")
    from snac_cache.store.code_store import CodeStore

    return CodeStore
