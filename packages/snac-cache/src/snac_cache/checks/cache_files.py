"""What lies in a folder of cached codes: its parts, its plan and ``cache.json``."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Self

import pyarrow as pa

from snac_cache import schema
from snac_cache.checks.described import first_identity, identity_texts, read_described
from snac_cache.checks.footers import IDENTITY, read_footer, schema_problem
from snac_cache.store.description import NAME
from snac_cache.store.earlier import no_codes
from snac_cache.store.identity import CacheIdentity
from snac_cache.work.plan import Part, part_files
from snac_cache.work.plan_file import FOLDER, Plan
from snac_common.artifacts import SPLITS
from snac_common.errors import Failure

READING_THREADS = 8
CACHE = pa.schema(
    [
        ("filename", pa.string()),
        ("problem", pa.string()),
        *((name, pa.string()) for name in IDENTITY),
        ("sample_rate", pa.int64()),
        ("hop_length", pa.int64()),
        ("attention_window", pa.int64()),
        ("token_agreement", pa.float64()),
        ("manifest", pa.string()),
    ]
)


@dataclass(frozen=True)
class Places:
    """Where things lie.

    Attributes:
        manifest: folder or file of the manifest; None for the plan, the manifest as it was.
        results: the artifact root of evaluations and training runs; None if they do not matter.
    """

    codes: Path
    manifest: Path | None
    results: Path | None


@dataclass(frozen=True)
class CacheFiles:
    """A cache as its files describe it.

    Attributes:
        parts: one entry a part, as in ``PARTS``; identities as JSON text.
        planned: the parts that there should be; none if there is no plan or it is damaged.
        plan_problem: why they are not known.
        identity: what the cache was made with; None if there are no codes at all.
        levels: one row a level: what its geometry implies, so that queries need no numbers.
        description: the content of ``cache.json``, empty if it cannot be read.
        problem: why it cannot be read.
    """

    codes: Path
    parts: list[dict[str, Any]]
    planned: list[Part]
    plan_problem: str | None
    identity: CacheIdentity | None
    levels: pa.Table
    description: dict[str, Any]
    problem: str | None

    @classmethod
    def none(cls, codes: Path) -> Self:
        """Return what there is of a cache where nothing has been encoded yet."""
        none = str(no_codes(codes))
        return cls(codes, [], [], none, None, pa.table({"level": []}), {}, none)

    def sound_parts(self) -> list[dict[str, Any]]:
        """Return the parts that a query can read."""
        return [part for part in self.parts if not part["problem"] and not part["schema_problem"]]

    def cache_table(self, manifest: Path | None) -> pa.Table:
        """Return one row: what ``cache.json`` says, or a part where it cannot be read.

        Args:
            manifest: that the rows are joined with; None for the plan.
        """
        assert self.identity is not None, "there are parts, and so something says what made them"
        geometry = self.identity.codec_geometry()
        row = {
            "filename": str(self.codes / NAME),
            "problem": self.problem,
            **identity_texts(asdict(self.identity)),
            "sample_rate": geometry.sample_rate,
            "hop_length": geometry.hop_length,
            "attention_window": geometry.attention_window,
            "token_agreement": self.description.get("token_agreement"),
            "manifest": None if manifest is None else str(manifest),
        }
        return pa.Table.from_pylist([row], CACHE)


def read_cache_files(codes: Path) -> CacheFiles:
    """Read footers, plan and description.

    Raises:
        Failure: if there are no codes at all, nothing says what made them, or they are of another
            schema version.
    """
    paths = code_files(codes)
    if not paths:
        raise no_codes(codes)
    with ThreadPoolExecutor(READING_THREADS) as pool:
        footers = list(pool.map(read_footer, range(len(paths)), paths))
    parts = [part for part, _ in footers]
    description, problem = read_described(codes / NAME)
    identity, levels = first_identity(codes, [description, *parts])
    expected = schema.codes(levels.num_rows)
    for part, columns in footers:
        if columns is not None:
            part["schema_problem"] = schema_problem(columns, expected)
    planned, plan_problem = _read_plan(codes / FOLDER)
    return CacheFiles(codes, parts, planned, plan_problem, identity, levels, description, problem)


def code_files(codes: Path) -> list[Path]:
    """Return the files of all parts that are there."""
    return [path for split in SPLITS for path in part_files(codes / split)]


def _read_plan(folder: Path) -> tuple[list[Part], str | None]:
    try:
        plan = Plan.read(folder)
    except Failure as failure:
        return [], str(failure)
    return (plan.parts, None) if plan else ([], "there is no plan of the cache")
