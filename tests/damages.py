"""One damage for each check of snac-check: what it must fail on."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from made_cache import rewrite_part, with_values
from workplace import last_line, run

from snac_cache.store.identity import KEY_PREFIX
from snac_cache.store.parts import RECORD_KEY

CHECK = "snac_cache.cli.check"
WARNINGS = {
    "same_manifest",
    "codebook_use",
    "dead_codes",
    "dominant_codes",
    "runs",
    "durations",
    "duplicates_across_splits",
    "bandwidth",
    "speakers_across_splits",
    "texts",
}
Damage = Callable[[Path], None]


def outcomes(root: Path, *options: object) -> dict[str, dict[str, Any]]:
    """Run the checks; return what came of each by name."""
    result = run(CHECK, "--artifacts", root, "--json", *options)
    assert result.exit_code in {0, 1}, result.stderr
    assert result.stdout, result.stderr
    return {entry["check"]: entry for entry in last_line(result)["checks"]}


def failed(root: Path, *options: object) -> set[str]:
    """Return the names of the checks that fail."""
    found = outcomes(root, *options)
    return {name for name, entry in found.items() if entry["result"] == "fail"}


def part(root: Path, number: int = 1, split: str = "train") -> Path:
    """Return the path of a part."""
    return root / "codes" / split / f"part-{number:05}.parquet"


def change(column: str, function: Callable[[Any], Any], *rows: int) -> Damage:
    """Return a damage: values of a column of one part replaced, in some rows or in all."""

    def replace(table: pa.Table) -> pa.Table:
        values = table.column(column).to_pylist()
        for row in rows or range(len(values)):
            values[row] = function(values[row])
        return with_values(table, column, values)

    return lambda root: rewrite_part(part(root), replace)


def change_everywhere(column: str, function: Callable[[Any], Any]) -> Damage:
    """Return a damage to all parts."""

    def replace(table: pa.Table) -> pa.Table:
        return with_values(table, column, list(map(function, table.column(column).to_pylist())))

    def damage(root: Path) -> None:
        for path in (root / "codes").glob("*/part-*.parquet"):
            rewrite_part(path, replace)

    return damage


def change_metadata(name: str, function: Callable[[Any], Any], number: int = 1) -> Damage:
    """Return a damage: what a part says of itself replaced."""

    def replace(table: pa.Table) -> pa.Table:
        metadata = dict(table.schema.metadata)
        metadata[name.encode()] = json.dumps(function(json.loads(metadata[name.encode()])))
        return table.replace_schema_metadata(metadata)

    return lambda root: rewrite_part(part(root, number), replace)


def agree(equal: int, total: int, *numbers: int) -> Damage:
    """Return a damage: parts of train whose record says that so many tokens are equal."""
    agreement = {"agreement": {"equal": equal, "total": total}}

    def damage(root: Path) -> None:
        for number in numbers:
            change_metadata(RECORD_KEY, lambda record: {**record, **agreement}, number)(root)

    return damage


def rewrite_manifest(split: str, function: Callable[[pa.Table], pa.Table]) -> Damage:
    """Return a damage: the manifest of a split replaced."""

    def damage(root: Path) -> None:
        path = root / "manifests" / f"{split}.parquet"
        pq.write_table(function(pq.read_table(path)), path)

    return damage


def replace_audio(table: pa.Table) -> pa.Table:
    fingerprints = table.column("audio_fingerprint").to_pylist()
    return with_values(table, "audio_fingerprint", ["flac:other", *fingerprints[1:]])


def lose_target(table: pa.Table) -> pa.Table:
    paths = table.column("target_path").to_pylist()
    paths[4] = paths[4].replace("train-0004", "gone")
    return with_values(table, "target_path", paths)


def narrow(table: pa.Table) -> pa.Table:
    """A recording that is its own target, and holds nothing above 9 kHz."""
    paths = table.column("target_path").to_pylist()
    bandwidths: list[float | None] = [None] * table.num_rows
    paths[4], bandwidths[4] = table.column("audio_path")[4].as_py(), 9000.0
    return with_values(with_values(table, "target_path", paths), "bandwidth_hz", bandwidths)


def hear_again(table: pa.Table) -> pa.Table:
    """A speaker of train in val."""
    return with_values(table, "speaker", ["s3", *table.column("speaker").to_pylist()[1:]])


def lose_texts(table: pa.Table) -> pa.Table:
    return with_values(table, "text", [None, " ", *table.column("text").to_pylist()[2:]])


def cut_short(root: Path) -> None:
    whole = part(root).read_bytes()
    part(root).write_bytes(whole[: len(whole) // 2])


def drop_column(root: Path) -> None:
    rewrite_part(part(root), lambda table: table.drop_columns(["codes_2"]))


def repeat_row(root: Path) -> None:
    rewrite_part(part(root), lambda table: pa.concat_tables([table, table.slice(2, 1)]))


def lose_row(root: Path) -> None:
    rewrite_part(part(root), lambda table: table.slice(1))


def leak_into_val(root: Path) -> None:
    row = pq.read_table(part(root)).slice(0, 1)
    rewrite_part(part(root, 0, "val"), lambda table: pa.concat_tables([table, row]))


def repeat_audio(root: Path) -> None:
    row = pq.read_table(part(root)).slice(0, 1)
    named = with_values(row, "utterance_id", ["val/0000"])
    rewrite_part(part(root, 0, "val"), lambda table: pa.concat_tables([named, table.slice(1)]))


DAMAGES: dict[str, Damage] = {
    "schema": drop_column,
    "readable": cut_short,
    "one_model": change_metadata(KEY_PREFIX + "tokenizer_sha256", lambda value: "3"),
    "unique_ids": repeat_row,
    "one_split": leak_into_val,
    "duplicates_across_splits": repeat_audio,
    "plan": lambda root: part(root).unlink(),
    "same_manifest": rewrite_manifest("train", lambda table: table.slice(1)),
    "unchanged_audio": rewrite_manifest("train", replace_audio),
    "accounted_rows": change("utterance_id", lambda value: value + "x", 5),
    "accounted_totals": lose_row,
    "token_agreement": agree(940, 1000, 0),
    "lengths": change("num_samples", lambda value: value + 1, 3),
    "code_range": change("codes_1", lambda codes: [*codes[:-1], 16], 7),
    "level_ratio": change("codes_2", lambda codes: codes[:-1], 7),
    "padding": change("num_samples", lambda value: value + 2048, 7),
    "codebook_use": change_everywhere("codes_2", lambda codes: [code % 7 for code in codes]),
    "dead_codes": change_everywhere("codes_2", lambda codes: [code or 1 for code in codes]),
    "dominant_codes": change_everywhere(
        "codes_0", lambda codes: [9 if code < 4 else code for code in codes]
    ),
    "runs": change("codes_0", lambda codes: [*codes[:2], *[4] * 24, *codes[26:]], 2),
    "durations": change("duration_s", lambda value: 61.0, 1),
    "targets": rewrite_manifest("train", lose_target),
    "bandwidth": rewrite_manifest("train", narrow),
    "speakers_across_splits": rewrite_manifest("val", hear_again),
    "texts": rewrite_manifest("train", lose_texts),
}
