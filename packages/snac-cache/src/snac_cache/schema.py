"""The columns of every parquet file that this package writes."""

import pyarrow as pa

SCHEMA_VERSION = 1
TARGET_RATE = 48_000  # Hz, of the targets

MANIFEST = pa.schema(
    [
        pa.field("utterance_id", pa.string(), nullable=False),
        pa.field("split", pa.string(), nullable=False),
        pa.field("audio_path", pa.string(), nullable=False),
        pa.field("source_sample_rate", pa.int32(), nullable=False),
        pa.field("channels", pa.int32(), nullable=False),
        pa.field("num_frames", pa.int64(), nullable=False),
        pa.field("duration_s", pa.float64(), nullable=False),
        pa.field("target_path", pa.string()),
        # by snac-upsample: the source's bandwidth, and what was corrected in a target it made
        pa.field("bandwidth_hz", pa.float64()),
        pa.field("target_lag_samples", pa.int32()),
        pa.field("target_gain_db", pa.float64()),
    ]
)

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


def codes(levels: int) -> pa.Schema:
    """Return the columns of cached codes: the manifest's, the length, and one list a level."""
    token_lists = [
        pa.field(code_column(level), pa.list_(pa.field("element", pa.uint16())), nullable=False)
        for level in range(levels)
    ]
    length = pa.field("num_samples", pa.int64(), nullable=False)
    return pa.schema([*MANIFEST, length, *token_lists])


def code_column(level: int) -> str:
    """Name of the column that holds a level's tokens, coarsest first."""
    return f"codes_{level}"
