"""The card of a folder of rows: what the Hub and the datasets library read, and people too."""

import json
from pathlib import Path

from snac_cache.rows.request import RowsReport, RowsRequest
from snac_cache.schema import CODES_LIST, INPUT_IDS
from snac_cache.store.identity import CacheIdentity
from snac_common.files import write_text
from snac_model.export.markdown import public_name

README, FACTS = "README.md", "rows.json"
SPLITS = {"train": "train", "validation": "val"}

CARD = """---
{front}
---

# Speech as tokens

Rows for a language model that speaks, made with `snac-tokens` from codes of the SNAC codec
`{model}` (SHA-256 of its encoder and quantizer `{sha}...`).

| split | rows | utterances |
| --- | ---: | ---: |
{counts}

{columns}

```python
from datasets import load_dataset

rows = load_dataset("{place}", split="train")
```

{repeated}

## How they were made

```json
{facts}
```

## Data

**To be filled in**: what speech it was, and what its licence allows.
"""

TEXTS_ALONE = f"""`text` is the text of the prompt, and `{CODES_LIST}` has the ids of the codes of
its speech. The other columns are those of the manifest."""

WITH_IDS = f"""`{INPUT_IDS}` has the ids of prompt, text and codes. `labels` are the same: all is
learned. `attention_mask` is 1."""

PACKED_ROWS = f"""Each row has {{size}} ids: several utterances one after the other, none cut, and
padding. `{INPUT_IDS}` has them, `labels` is -100 where there is padding, and `attention_mask` is 0
there. `utterance_ids` and `seq_lengths` say which utterances they are, and how long."""

KEPT = """{repeated:,} of {frames:,} frames ({share:.1%}) have the same coarse token as the frame
before. They are kept: each frame is 85 ms of speech."""

DROPPED = """{repeated:,} of {frames:,} frames ({share:.1%}) had the same coarse token as the frame
before, and were dropped. **The rows therefore hold that much less speech than was spoken.**"""


def write_card(
    folder: Path, request: RowsRequest, report: RowsReport, identity: CacheIdentity
) -> None:
    """Write ``README.md``, with the front matter that the Hub reads, and ``rows.json``."""
    facts = facts_of(request, report, identity)
    write_text(folder / FACTS, json.dumps(facts, indent=2, ensure_ascii=False) + "\n")
    there = {split: name for split, name in SPLITS.items() if report.rows.get(name)}
    counts = [
        f"| {split} | {report.rows[name]:,} | {report.utterances[name]:,} |"
        for split, name in there.items()
    ]
    text = CARD.format(
        front=_front_matter(list(there)),
        model=facts["model"],
        sha=identity.tokenizer_sha256[:16],
        counts="\n".join(counts),
        columns=_columns(request),
        place=request.repository or "USER/NAME",
        repeated=" ".join(_repeated(request, report).split("\n")),
        facts=json.dumps(facts, indent=2, ensure_ascii=False),
    )
    write_text(folder / README, text)


def facts_of(
    request: RowsRequest, report: RowsReport, identity: CacheIdentity
) -> dict[str, object]:
    """Return what rows were made of and how, without paths of this machine."""
    prompt = request.layout.prompt
    return {
        "model": public_name(identity.model),
        "tokenizer_sha256": identity.tokenizer_sha256,
        "layout": {
            "order": request.layout.order,
            "offset": request.layout.offset,
            "codebook_size": request.layout.codebook_size,
            "id_offset": request.layout.id_offset,
            "prompt": vars(prompt) if request.tokenizer and prompt else None,
        },
        "text_tokenizer": public_name(request.tokenizer.name) if request.tokenizer else None,
        "prompt": request.pattern.text,
        "where": request.where,
        "limits": request.limits,
        "max_tokens": request.max_tokens,
        "pack": request.pack,
        "drop_repeated": "coarse" if request.drop_repeated else "off",
        "rows": report.rows,
        "utterances": report.utterances,
        "tokens": report.tokens,
        "longest_utterance": report.longest,
        "filled": report.filled,
        "frames": report.frames,
        "repeated_frames": report.repeated,
        "rejects": dict(report.rejects),
    }


def _front_matter(splits: list[str]) -> str:
    lines = ["tags: [audio, speech, snac]", "configs:", "- config_name: default", "  data_files:"]
    for split in splits:
        lines += [f"  - split: {split}", f"    path: {split}/*.parquet"]
    return "\n".join(lines)


def _columns(request: RowsRequest) -> str:
    if request.tokenizer is None:
        return TEXTS_ALONE
    return PACKED_ROWS.format(size=f"{request.pack:,}") if request.pack else WITH_IDS


def _repeated(request: RowsRequest, report: RowsReport) -> str:
    return (DROPPED if request.drop_repeated else KEPT).format(
        repeated=report.repeated, frames=report.frames, share=report.repeated_share
    )
