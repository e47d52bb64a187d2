"""Manifests of speech, cached SNAC codes in parquet, and the reader that training uses."""

from typing import TYPE_CHECKING

from snac_common.lazy_names import names_on_demand

if TYPE_CHECKING:
    from snac_cache.store.code_store import CodeStore

__all__ = ["CodeStore"]

__getattr__ = names_on_demand(__name__, {"CodeStore": "snac_cache.store.code_store"})
