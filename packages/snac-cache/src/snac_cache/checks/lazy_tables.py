"""Tables that cost time, each made when a query first names it."""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from snac_cache.checks.cache_files import CacheFiles, Places
from snac_cache.checks.database import Database
from snac_cache.checks.planned import verify_plan
from snac_cache.checks.results import open_evaluations, open_runs
from snac_cache.checks.targets import find_missing_targets
from snac_cache.checks.token_tables import measure


@dataclass(frozen=True)
class LazyTables:
    """Tables and views that are made together.

    Attributes:
        make: makes them; called once.
    """

    names: tuple[str, ...]
    make: Callable[[Database, CacheFiles, Places], None]


LAZY_TABLES = (
    LazyTables(("token_lists", "token_counts", "codebooks", "unreadable"), measure),
    LazyTables(("plan_problems",), verify_plan),
    LazyTables(("missing_targets",), find_missing_targets),
    LazyTables(("metrics", "eval"), open_evaluations),
    LazyTables(("training",), open_runs),
)


def named_in(sql: str, tables: Sequence[LazyTables]) -> list[LazyTables]:
    """Return those of which a query names one."""
    words = set(re.findall(r"\w+", re.sub(r"--.*", "", sql).lower()))
    return [lazy for lazy in tables if words.intersection(lazy.names)]
