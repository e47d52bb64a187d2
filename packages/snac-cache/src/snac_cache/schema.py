"""The columns of every parquet file that this package writes."""

import pyarrow as pa

SCHEMA_VERSION = 3  # of the columns, and of the resampler, which decides codes too
TARGET_RATE = 48_000  # Hz, of the targets

CODES_LIST, INPUT_IDS = "codes_list", "input_ids"  # columns of a language model's training rows

# What is said of an utterance and may change. A manifest may have any other columns beside these.
MANIFEST = pa.schema(
    [
        pa.field("utterance_id", pa.string(), nullable=False),
        pa.field("split", pa.string(), nullable=False),
        pa.field("audio_path", pa.string(), nullable=False),
        pa.field("source_sample_rate", pa.int32(), nullable=False),
        pa.field("channels", pa.int32()),
        pa.field("num_frames", pa.int64(), nullable=False),
        pa.field("duration_s", pa.float64(), nullable=False),
        pa.field("audio_fingerprint", pa.string()),
        pa.field("target_path", pa.string()),
        # by snac-upsample: the source's bandwidth, and what was corrected in a target it made
        pa.field("bandwidth_hz", pa.float64()),
        pa.field("target_lag_samples", pa.int32()),
        pa.field("target_gain_db", pa.float64()),
    ]
)

# What decides an utterance's codes, once the model is given: its audio, and the name they go by.
SOURCE = ("utterance_id", "source_sample_rate", "num_frames", "audio_fingerprint")

REJECTS = pa.schema(
    [
        pa.field("utterance_id", pa.string(), nullable=False),
        pa.field("split", pa.string()),
        pa.field("audio_path", pa.string(), nullable=False),
        pa.field("stage", pa.string(), nullable=False),
        pa.field("reason", pa.string(), nullable=False),
        pa.field("detail", pa.string(), nullable=False),
    ]
)

# What is fact about an utterance's audio; its path is where the audio was.
FACTS = pa.schema(
    [
        pa.field("utterance_id", pa.string(), nullable=False),
        pa.field("audio_path", pa.string(), nullable=False),
        pa.field("source_sample_rate", pa.int32(), nullable=False),
        pa.field("num_frames", pa.int64(), nullable=False),
        pa.field("duration_s", pa.float64(), nullable=False),
        pa.field("audio_fingerprint", pa.string(), nullable=False),
        pa.field("num_samples", pa.int64(), nullable=False),
    ]
)

# What snac-upsample found out about a row, beside what the row was when it did.
TARGETS = pa.schema(
    [
        *(pa.field(name, MANIFEST.field(name).type) for name in SOURCE),
        pa.field("kind", pa.string(), nullable=False),  # native, made or rejected
        pa.field("target_path", pa.string()),  # within the folder of targets, of those made
        pa.field("bandwidth_hz", pa.float64()),
        pa.field("target_lag_samples", pa.int32()),
        pa.field("target_gain_db", pa.float64()),
        pa.field("clipped_samples", pa.int64(), nullable=False),
    ]
)


def codes(levels: int) -> pa.Schema:
    """Return the columns of cached codes: the facts, and one list of tokens a level."""
    token_lists = [
        pa.field(code_column(level), pa.list_(pa.field("element", pa.uint16())), nullable=False)
        for level in range(levels)
    ]
    return pa.schema([*FACTS, *token_lists])


def code_column(level: int) -> str:
    """Name of the column that holds a level's tokens, coarsest first."""
    return f"codes_{level}"


def is_reserved(name: str) -> bool:
    """Say whether a column of the user's own would hide one of the cache's."""
    number = name.removeprefix("codes_")
    return name in ("num_samples", "filename", "file_row_number") or (
        number != name and number.isdecimal()
    )
