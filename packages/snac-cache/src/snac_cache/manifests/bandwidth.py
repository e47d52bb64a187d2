"""Whether targets hold what a 48 kHz decoder is to learn: audio above 12 kHz."""

import math

import pyarrow as pa
import pyarrow.compute as pc

ABOVE_24K_HZ = 12_000.0  # what audio at 24 kHz can hold already
COLUMNS = ("audio_path", "target_path", "bandwidth_hz")


def say_if_narrow(rows: pa.Table) -> str | None:
    """Return what to tell a person if most targets hold nothing that 24 kHz audio lacks.

    Only recordings that are their own targets tell it: of those that an engine made, the measured
    bandwidth is their source's.

    Args:
        rows: of a manifest, with ``COLUMNS``; those without a measured bandwidth say nothing.
    """
    own = pc.equal(rows["target_path"], rows["audio_path"]).fill_null(False)
    measured = rows["bandwidth_hz"].filter(own).drop_null()
    narrow = measured.filter(pc.less_equal(measured, ABOVE_24K_HZ))
    if 2 * len(narrow) <= len(measured):
        return None
    highest = math.ceil(pc.max(narrow).as_py() / 500) / 2
    return (
        f"{len(narrow)} of {len(measured)} targets hold nothing above {highest:g} kHz: 48 kHz "
        "cannot be learned from them. Restore them with other software, or train at 24 kHz "
        "(--phase 10)"
    )
