"""The whole of ``snac-tokens``: a cache to a folder of training rows."""

from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa

from snac_cache.convert.ahead import map_ahead
from snac_cache.rows.card import write_card
from snac_cache.rows.columns import PACKED, ROWS, TEXTS, one_each, packed
from snac_cache.rows.packing import Packer, Utterance
from snac_cache.rows.part_rows import PartRows, rows_of_part
from snac_cache.rows.request import RowsReport, RowsRequest
from snac_cache.rows.said import choose, read_said, select
from snac_cache.rows.write import Ledger, Shards
from snac_cache.schema import MANIFEST
from snac_cache.store.code_store import CodeStore
from snac_cache.store.mapped import take_rows
from snac_common.artifacts import SPLITS
from snac_common.errors import Failure
from snac_common.files import atomic_folder
from snac_model.shapes.config import CodecConfig

FOLDERS = {"train": "train", "val": "validation"}  # as the datasets library calls them
THREADS = 2  # that prepare parts; a third writes
ROWS_AT_ONCE = 512  # packed rows in a row group

Advance = Callable[[int], object]


def build_rows(request: RowsRequest, folder: Path, advance: Advance) -> RowsReport:
    """Make the rows of a cache; the folder appears when all are written.

    Args:
        advance: told of utterances done.

    Raises:
        BadInput: if the request does not fit the cache and its manifest.
        Failure: if the cache is damaged, or there is nothing to make rows of.
    """
    said = read_said(request)
    selected = select(request, said)
    report = RowsReport()
    with atomic_folder(folder) as new:
        ledger = Ledger(new)
        for split, limit in zip(SPLITS, request.limits, strict=True):
            store = CodeStore(request.codes, split, request.manifest)
            _check_layout(store, request)
            report.unlisted, report.not_encoded = store.unlisted, store.not_encoded
            indices = choose(store, said, selected, limit)
            writer = _SplitWriter(new / FOLDERS[split], said, request, report)
            needed = {"utterance_id", "audio_path", *request.pattern.columns, *writer.own}
            for part in _parts(store, said.select(sorted(needed)), indices, request):
                for left_out in part.left_out:
                    ledger.write(left_out.said, split, left_out.reason, left_out.details)
                    report.rejects[left_out.reason] += left_out.said.num_rows
                    advance(left_out.said.num_rows)
                writer.write(part)
                advance(len(part.ids))
            report.rows[split] = writer.close()
            report.utterances[split] = writer.utterances
        ledger.close()
        _check_not_empty(request, report)
        write_card(new, request, report, store.identity)
    return report


def _check_layout(store: CodeStore, request: RowsRequest) -> None:
    size = CodecConfig.from_dict(store.identity.config).codebook_size
    request.layout.check_model(store.geometry, size)


def _parts(
    store: CodeStore, said: pa.Table, indices: np.ndarray | None, request: RowsRequest
) -> Iterator[PartRows]:
    """Yield each part's rows, some parts ahead; ``said`` has a row for each of the manifest."""

    def chosen_of_parts() -> Iterator[tuple[Path, np.ndarray, pa.Table]]:
        for file, places, numbers in store.located():
            kept = slice(None) if indices is None else np.isin(numbers, indices)
            rows = store.manifest_rows[numbers[kept]]
            if len(rows):
                yield file, places[kept], take_rows(said, rows)

    yield from map_ahead(lambda part: rows_of_part(*part, request), chosen_of_parts(), THREADS)


class _SplitWriter:
    """Writes the rows of one split in the form that the request has, and counts them."""

    def __init__(
        self, folder: Path, said: pa.Table, request: RowsRequest, report: RowsReport
    ) -> None:
        self.request = request
        self.report = report
        self.own: list[str] = []
        columns = PACKED if request.pack else ROWS
        if request.tokenizer is None:
            others = {*MANIFEST.names, *TEXTS.names}
            self.own = [name for name in said.column_names if name not in others]
            columns = pa.schema([*TEXTS, *(said.schema.field(name) for name in self.own)])
        self.packer = Packer(request.pack) if request.pack else None
        self.waiting: list[list[Utterance]] = []
        self.utterances = 0
        self.shards = Shards(folder, columns)

    def write(self, part: PartRows) -> None:
        """Write, or pack, the rows of a part."""
        report, lengths = self.report, part.ids.lengths
        self.utterances += len(part.ids)
        report.tokens += int(lengths.sum())
        report.longest = max(report.longest, int(lengths.max(initial=0)))
        report.frames += part.frames
        report.repeated += part.repeated
        names = part.said.column("utterance_id").combine_chunks()
        if self.packer is not None:
            pairs = zip(names.to_pylist(), part.ids.split(), strict=True)
            self._take(self.packer.add([Utterance(name, ids) for name, ids in pairs]))
        elif self.request.tokenizer:
            self.shards.write(one_each(names, part.ids))
        else:
            own = [part.said.column(name) for name in self.own]
            columns = [names, part.texts, part.ids.to_arrow(), *own]
            self.shards.write(pa.Table.from_arrays(columns, schema=self.shards.columns))

    def close(self) -> int:
        """Write what is left; return how many rows there are."""
        if self.packer is not None:
            self._take(self.packer.finish())
            self._flush()
        self.shards.close()
        return self.shards.rows

    def _take(self, rows: Iterator[list[Utterance]]) -> None:
        for row in rows:
            self.waiting.append(row)
            if len(self.waiting) == ROWS_AT_ONCE:
                self._flush()

    def _flush(self) -> None:
        prompt, size = self.request.layout.prompt, self.request.pack
        if not self.waiting or size is None or prompt is None or prompt.pad is None:
            return
        self.report.places += size * len(self.waiting)
        self.shards.write(packed(self.waiting, size, prompt.pad))
        self.waiting = []


def _check_not_empty(request: RowsRequest, report: RowsReport) -> None:
    if sum(report.utterances.values()):
        return
    if not report.rejects:
        condition = f" for which --where {request.where!r} is true" if request.where else ""
        raise Failure(
            f"there is nothing to make rows of: {request.codes} holds no utterance of the manifest "
            f"{request.manifest}{condition}"
        )
    reasons = ", ".join(f"{reason} {count}" for reason, count in sorted(report.rejects.items()))
    raise Failure(f"there is nothing to make rows of: all utterances are left out ({reasons})")
