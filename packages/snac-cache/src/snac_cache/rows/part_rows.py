"""One part's utterances as rows of ids, and which of them are left out."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa

from snac_cache.parquet import MADE_ANEW, damaged, read_table
from snac_cache.rows.frames import frames_of
from snac_cache.rows.ragged import Ragged, joined
from snac_cache.rows.request import RowsRequest
from snac_cache.schema import code_column

NO_TEXT, TOO_LONG = "no_text", "too_long"


@dataclass(frozen=True)
class LeftOut:
    """Utterances that no row is made of, with what the manifest says of each, and why."""

    said: pa.Table
    reason: str
    details: list[str]


@dataclass(frozen=True)
class PartRows:
    """Utterances of one part.

    Attributes:
        said: what the manifest says of those that are left in.
        texts: of the prompt, of those.
        ids: of text, prompt and codes; or of the codes alone where there is no tokenizer.
        frames: of the codes of those, before any was dropped, and how many of them repeat.
    """

    said: pa.Table
    texts: pa.Array
    ids: Ragged
    frames: int
    repeated: int
    left_out: list[LeftOut]


def rows_of_part(file: Path, places: np.ndarray, said: pa.Table, request: RowsRequest) -> PartRows:
    """Make the rows of some utterances of a part.

    Args:
        places: their rows in the file, ascending.
        said: what the manifest says of each.

    Raises:
        Failure: if the file is damaged.
    """
    texts, lacking = request.pattern.fill_in(said)
    silent = lacking >= 0
    columns = [request.pattern.columns[number] for number in lacking[silent]]
    details = [f"the column {name} is empty" for name in columns]
    left_out = [LeftOut(said.filter(pa.array(silent)), NO_TEXT, details)]
    said, texts = said.filter(pa.array(~silent)), texts.filter(pa.array(~silent))
    frames = frames_of(_read(file, places[~silent], request), request.layout, file)
    counts, repeated = frames.counts, frames.repeated
    speech = (frames.without_repeated() if request.drop_repeated else frames).to_rows()
    ids = _with_text(texts, speech, request)
    fits = ids.lengths <= (ids.lengths if request.most is None else request.most)
    too_long = [f"{length} ids, more than {request.most}" for length in ids.lengths[~fits]]
    left_out.append(LeftOut(said.filter(pa.array(~fits)), TOO_LONG, too_long))
    return PartRows(
        said=said.filter(pa.array(fits)),
        texts=texts.filter(pa.array(fits)),
        ids=ids.where(fits),
        frames=int(counts[fits].sum()),
        repeated=int(repeated[np.repeat(fits, counts)].sum()),
        left_out=[item for item in left_out if item.said.num_rows],
    )


def _with_text(texts: pa.Array, speech: Ragged, request: RowsRequest) -> Ragged:
    prompt = request.layout.prompt
    if request.tokenizer is None or prompt is None or not len(texts):
        return speech
    text = request.tokenizer.encode(texts.to_pylist())
    return joined([prompt.before_text, text, prompt.after_text, speech, prompt.after_codes])


def _read(file: Path, places: np.ndarray, request: RowsRequest) -> pa.Table:
    columns = ["utterance_id", *map(code_column, range(request.layout.levels))]
    try:
        table = read_table(file, columns)
    except (OSError, KeyError, pa.ArrowException) as error:
        raise damaged(file, error, MADE_ANEW) from error
    return table if len(places) == table.num_rows else table.take(pa.array(places))
