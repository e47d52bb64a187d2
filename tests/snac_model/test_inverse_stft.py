"""The inverse STFT against torch's, and against its definition written out."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from snac_model.decoders.fourier.inverse_stft import InverseSTFT, inverse_by_products

sizes = given(st.integers(1, 12).map(lambda half: 2 * half), st.integers(1, 9), st.integers(1, 3))


def spectra(hop: int, count: int, batch: int) -> torch.Tensor:
    """Return random spectra ``[B, T, bins]`` of real signals, whose ends have no phase."""
    torch.manual_seed(hop + count)
    values = torch.randn(batch, count, 2 * hop + 1, dtype=torch.complex64)
    values[..., [0, -1]] = values[..., [0, -1]].real.to(values.dtype)
    return values


def as_defined(values: torch.Tensor, hop: int) -> torch.Tensor:
    """Return the audio of spectra, a frame at a time: Vocos's "same" padding."""
    batch, count, _ = values.shape
    window = torch.hann_window(4 * hop, dtype=torch.float64)
    total = torch.zeros(batch, (count + 3) * hop, dtype=torch.float64)
    weight = torch.zeros((count + 3) * hop, dtype=torch.float64)
    for number in range(count):
        place = slice(number * hop, (number + 4) * hop)
        frame = torch.fft.irfft(values[:, number].to(torch.complex128), n=4 * hop)
        total[:, place] += frame * window
        weight[place] += window * window
    padding = (4 * hop - hop) // 2
    return (total[:, padding:-padding] / weight[padding:-padding]).float()


@sizes
def test_it_is_what_it_is_defined_to_be(hop: int, count: int, batch: int) -> None:
    values = spectra(hop, count, batch)
    audio = InverseSTFT(hop)(values.real, values.imag)
    assert audio.shape == (batch, count * hop)
    torch.testing.assert_close(audio, as_defined(values, hop), rtol=0, atol=1e-5)


@sizes
def test_it_is_torchs_where_both_give_audio(hop: int, count: int, batch: int) -> None:
    values = spectra(hop, count + 1, batch)
    window = torch.hann_window(4 * hop)
    expected = torch.istft(values.transpose(1, 2), 4 * hop, hop, window=window, center=True)
    audio = InverseSTFT(hop)(values.real, values.imag)[:, hop // 2 :][:, : count * hop]
    torch.testing.assert_close(audio, expected, rtol=0, atol=1e-5)


@sizes
def test_it_gives_back_a_signal(hop: int, count: int, batch: int) -> None:
    torch.manual_seed(count)
    signal = torch.randn(batch, count * hop)
    padded = torch.nn.functional.pad(signal, (3 * hop // 2, 3 * hop // 2))
    window = torch.hann_window(4 * hop)
    values = torch.fft.rfft(padded.unfold(-1, 4 * hop, hop) * window)
    audio = InverseSTFT(hop)(values.real, values.imag)
    torch.testing.assert_close(audio, signal, rtol=0, atol=1e-5)


@pytest.mark.parametrize("n_fft", [8, 128, 1024])
def test_products_are_the_inverse_fft(n_fft: int) -> None:
    torch.manual_seed(0)
    real, imaginary = torch.randn(2, 2, 3, n_fft // 2 + 1)
    expected = torch.fft.irfft(torch.complex(real, imaginary))
    torch.testing.assert_close(
        inverse_by_products(real, imaginary, n_fft), expected, rtol=0, atol=1e-5
    )
