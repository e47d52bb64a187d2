"""What a Fourier decoder is, and how its audio relates to latents; free of torch."""

import math
from dataclasses import asdict, dataclass, fields
from typing import Any, Self

from snac_common.errors import Failure
from snac_model.shapes.receptive_field import Margin

KIND = "fourier"
OVERLAP = 4  # hops in a window of the inverse STFT
WINDOW_REACH = Margin(2, 2)  # spectra beside a hop's own that its samples depend on

LARGEST = {"dim": 2**14, "hidden": 2**16, "blocks": 256, "kernel": 256, "upsample": 64}
LARGEST_WEIGHTS = 2**28
LARGEST_RATE = 768_000


@dataclass(frozen=True)
class FourierConfig:
    """Architecture of a Fourier decoder: ``decoder`` in a model's config.json, beside its kind.

    Attributes:
        rates: of its outputs in Hz, lowest first; each has a head on the same features.
        dim: channels of the blocks.
        hidden: channels within a block.
        blocks: how many, one after the other.
        kernel: of the first convolution and of each block's.
        upsample: features for a latent frame.
        look_ahead: latent frames after its own that a feature depends on.
    """

    rates: tuple[int, ...]
    dim: int = 384
    hidden: int = 1152
    blocks: int = 8
    kernel: int = 7
    upsample: int = 2
    look_ahead: int = 3

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> Self:
        """Build from the object in a config.json.

        Raises:
            Failure: naming the field, if no decoder is like that.
        """
        given = {name: value for name, value in values.items() if name != "kind"}
        names = [field.name for field in fields(cls)]
        if unknown := [name for name in given if name not in names]:
            raise Failure(f"'decoder' in the model's config.json has an unknown {unknown[0]!r}")
        rates: Any = given.get("rates")
        if not _is_list_of_rates(rates):
            raise Failure(
                f"the decoder's 'rates' in the model's config.json are {rates!r}, not a list of "
                "rates in Hz, lowest first"
            )
        config = cls(**{**given, "rates": tuple(rates)})
        config.check()
        return config

    def to_dict(self) -> dict[str, Any]:
        """Return the object that a config.json has."""
        return {"kind": KIND, **asdict(self), "rates": list(self.rates)}

    def check(self) -> None:
        """Raise Failure if a size is none, or no machine could hold the decoder."""
        for name, largest in LARGEST.items():
            value = getattr(self, name)
            if not _is_count(value) or value > largest:
                raise Failure(
                    f"the decoder's {name!r} in the model's config.json is {value!r}, not a whole "
                    f"number from 1 to {largest}"
                )
        if type(self.look_ahead) is not int or not 0 <= self.look_ahead < self.kernel:
            raise Failure(
                f"the decoder's 'look_ahead' in the model's config.json is {self.look_ahead!r}, "
                f"not a whole number from 0 to {self.kernel - 1}, one less than its 'kernel'"
            )
        weights = self.dim * (self.dim * self.upsample + 2 * self.hidden * self.blocks)
        if weights > LARGEST_WEIGHTS:
            raise Failure(
                f"the decoder in the model's config.json has {weights:,} weights; none has more "
                f"than {LARGEST_WEIGHTS:,}"
            )

    def hop(self, rate: int, sample_rate: int, hop_length: int) -> int:
        """Return the samples at ``rate`` from one spectrum to the next.

        Args:
            sample_rate: the codec's, in Hz.
            hop_length: samples at that rate in a latent frame.

        Raises:
            Failure: if that is no whole number, or an odd one, which has no middle.
        """
        hop, remainder = divmod(rate * hop_length, sample_rate * self.upsample)
        if remainder or hop % 2 or not hop:
            raise Failure(
                f"a latent frame is not {self.upsample} even hops at {rate} Hz: give the decoder "
                "another 'upsample', or other 'rates'"
            )
        return hop

    def margins(self) -> list[Margin]:
        """Return what the audio of whole features depends on before and after each block.

        At the features' own rate: of each block's input, then of the last one's output.
        """
        reach = self.kernel - 1
        return [
            Margin(WINDOW_REACH.before + reach * (self.blocks - number), WINDOW_REACH.after)
            for number in range(self.blocks + 1)
        ]

    @property
    def reach(self) -> Margin:
        """Latent frames beside its own that a sample depends on."""
        first = self.margins()[0]
        return Margin(
            math.ceil(first.before / self.upsample) + self.kernel - 1 - self.look_ahead,
            math.ceil(first.after / self.upsample) + self.look_ahead,
        )


def _is_count(value: Any) -> bool:
    return type(value) is int and value >= 1


def _is_list_of_rates(value: Any) -> bool:
    return (
        isinstance(value, list | tuple)
        and len(value) > 0
        and all(_is_count(rate) and rate <= LARGEST_RATE for rate in value)
        and list(value) == sorted(set(value))
    )
