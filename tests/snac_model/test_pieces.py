"""The cutting of long recordings: arithmetic alone."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st
from models import TRUE

from snac_model.shapes.geometry import Geometry
from snac_model.shapes.pieces import Piece, PiecePlan

plans = st.builds(
    lambda name, units: PiecePlan(
        Geometry.of(TRUE[name]), units * Geometry.of(TRUE[name]).unit_frames
    ),
    st.sampled_from(sorted(TRUE)),
    st.integers(1, 40),
)
lengths = st.integers(1, 5_000_000)


def check(plan: PiecePlan, num_samples: int, pieces: list[Piece]) -> None:
    """Pieces give every latent frame once, and read the context that each side has."""
    geometry, hop = plan.geometry, plan.geometry.hop_length
    total = geometry.padded_samples(num_samples) // hop
    assert (pieces[0].frames.start, pieces[-1].frames.stop) == (0, total)
    for left, right in itertools.pairwise(pieces):
        assert left.frames.stop == right.frames.start
    for piece in pieces:
        first, last = piece.samples.start // hop, piece.samples.stop // hop
        assert (first * hop, last * hop) == (piece.samples.start, piece.samples.stop)
        assert piece.kept.start + first == piece.frames.start
        assert piece.kept.stop + first == piece.frames.stop
        assert piece.frames.stop > piece.frames.start
        assert first == 0 or piece.kept.start >= geometry.encoder_context
        assert last == total or last - piece.frames.stop >= geometry.encoder_context
        for edge in (first, last, piece.frames.start, piece.frames.stop):
            assert edge % geometry.unit_frames == 0


@given(plans, lengths)
def test_pieces_tile_a_recording(plan: PiecePlan, num_samples: int) -> None:
    pieces = list(plan.pieces(num_samples))
    check(plan, num_samples, pieces)
    for piece in pieces:
        assert piece.samples.stop - piece.samples.start <= plan.window_samples
        assert piece.frames.stop - piece.frames.start <= plan.frames


@given(plans, lengths)
def test_a_piece_away_from_the_end_does_not_depend_on_the_length(
    plan: PiecePlan, num_samples: int
) -> None:
    for index, piece in enumerate(plan.pieces(num_samples)):
        if plan.piece(index).samples.stop <= num_samples:
            assert piece == plan.piece(index)


@given(plans, lengths)
def test_windows_have_one_shape(plan: PiecePlan, num_samples: int) -> None:
    windows = list(plan.windows(num_samples))
    check(plan, num_samples, windows)
    padded = plan.geometry.padded_samples(num_samples)
    sizes = {window.samples.stop - window.samples.start for window in windows}
    assert sizes == {min(padded, plan.window_samples)}
    assert len(windows) <= 1 + max(0, padded - 1) // (plan.frames * plan.geometry.hop_length)


@pytest.mark.parametrize("name", sorted(TRUE))
def test_by_default_a_sixth_of_the_work_is_context(name: str) -> None:
    plan = PiecePlan.of(Geometry.of(TRUE[name]))
    assert 6 * 2 * plan.context == plan.window_frames
    assert 2 < plan.window_samples / plan.geometry.sample_rate < 20


def test_numbers_of_the_24_khz_model() -> None:
    plan = PiecePlan.of(Geometry.of(TRUE["24k"]), 5.0)
    assert (plan.frames, plan.context, plan.window_frames) == (236, 12, 260)
    assert plan.window_samples == 133_120
    assert [piece.samples for piece in plan.pieces(300_000)] == [
        slice(0, 248 * 512),
        slice(224 * 512, 484 * 512),
        slice(460 * 512, 588 * 512),
    ]
    assert [window.samples for window in plan.windows(300_000)] == [
        slice(0, 260 * 512),
        slice(236 * 512, 496 * 512),
        slice(328 * 512, 588 * 512),
    ]
