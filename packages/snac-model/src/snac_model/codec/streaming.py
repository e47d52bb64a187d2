"""Decoding while the codes are still coming."""

from collections.abc import Iterator, Sequence

import torch

from snac_common.errors import Failure
from snac_model.codec.snac import SNAC
from snac_model.layers.noise import NoiseSource, RandomNoise
from snac_model.layers.streamed import rest_through_stages, spare_through, through_stages

Audio = dict[int, torch.Tensor]


class StreamingDecoder:
    """Takes codes as they come and gives audio as early as it is final.

    The pieces put together are what ``model.decode`` gives for all codes at once. Each layer keeps
    the few positions that it needs again, so nothing is computed twice and memory is constant.

    Args:
        model: a codec without local attention.
        rates: of the model's output rates those wanted; default all.
        noise: as for ``decode``. ``SeededNoise`` or ``no_noise`` make the audio independent of how
            the codes are cut into pieces; fresh noise falls differently each time.
        look_ahead: coarse tokens after a sample that are awaited before the sample is given.
            Default: as many as it depends on, ``model.geometry.look_ahead_tokens``, which is exact.
            With fewer, samples are given early as if the codes ended there.

    Raises:
        Failure: if the model has local attention, or no output of such a rate.
    """

    def __init__(
        self,
        model: SNAC,
        *,
        rates: Sequence[int] | None = None,
        noise: NoiseSource | None = None,
        look_ahead: int | None = None,
    ) -> None:
        if model.geometry.decoder_context is None:
            raise Failure(
                "this model has local attention: a sample depends on all codes of its window, and "
                "no part of a window is final before the whole. Decode whole utterances with it."
            )
        self.model = model
        self.rates = tuple(rates or model.geometry.output_rates)
        if unknown := set(self.rates) - set(model.heads):
            raise Failure(f"the model decodes to {tuple(model.heads)} Hz, not to {unknown} Hz")
        self.noise = noise or RandomNoise()
        exact = model.geometry.look_ahead_tokens
        self.look_ahead = exact if look_ahead is None else look_ahead
        self.trunk, heads = model.synthesizer.streamed(self.noise)
        self.heads = {rate: heads[rate] for rate in self.rates}
        self._start()

    @property
    def device(self) -> torch.device:
        """Where the codes must be."""
        return self.model.device

    @torch.inference_mode()
    def push(self, codes: Sequence[torch.Tensor]) -> Audio:
        """Take the next codes; return what is final of the audio, under each rate in Hz.

        Args:
            codes: int64 ``[B, tokens]``, one tensor a level, coarsest first: whole coarse tokens,
                any number of them.

        Returns:
            ``[B, 1, T]`` for each rate; T is 0 while too little is known.

        Raises:
            Failure: if the levels do not cover the same whole coarse tokens.
        """
        count = self._count(codes)
        if not count:
            return self._silence(len(codes[0]))
        self.tokens += count
        latents = self.model.quantizer.from_codes(codes)
        self.no_latents = latents[..., :0]
        starts = dict(self.final)
        audio = self._advance(latents)
        for rate, piece in audio.items():
            self.final[rate] += piece.shape[-1]
        if any(self._due(rate) > self.final[rate] for rate in self.rates):
            rest = self._rest(without=self.look_ahead)
            audio = {rate: torch.cat((audio[rate], rest[rate]), -1) for rate in self.rates}
        return {rate: self._give(rate, audio[rate], starts[rate]) for rate in self.rates}

    @torch.inference_mode()
    def finish(self) -> Audio:
        """Return the rest of the audio, as ``push`` does; then be ready for another stream."""
        if not self.tokens:
            return self._silence(1)
        rest = self._rest()
        audio = {
            rate: rest[rate][..., self.given[rate] - self.final[rate] :] for rate in self.rates
        }
        self._start()
        return audio

    def decode(self, codes: Sequence[torch.Tensor], tokens: int) -> Iterator[Audio]:
        """Decode codes of known length, so many coarse tokens at a time, from start to end."""
        geometry = self.model.geometry
        for start in range(0, codes[0].shape[-1], tokens):
            spans = [geometry.token_span(n, start, tokens) for n in range(geometry.levels)]
            yield self.push([level[:, span] for level, span in zip(codes, spans, strict=True)])
        yield self.finish()

    def _start(self) -> None:
        """Be at the beginning of a stream."""
        for stage in (*self.trunk, *self.heads.values()):
            stage.restart()
        self.tokens = 0
        self.final = dict.fromkeys(self.rates, 0)
        self.given = dict.fromkeys(self.rates, 0)

    def _count(self, codes: Sequence[torch.Tensor]) -> int:
        """Return how many coarse tokens the codes are."""
        per_coarse = self.model.geometry.tokens_per_coarse
        lengths = [level.shape[-1] for level in codes]
        count = lengths[0] if lengths else 0
        if not lengths or lengths != [count * tokens for tokens in per_coarse]:
            raise Failure(
                f"{lengths} tokens are no whole coarse tokens: each takes {list(per_coarse)} tokens"
            )
        return count

    def _advance(self, latents: torch.Tensor) -> Audio:
        """Return what the next latents make final."""
        pieces: dict[int, list[torch.Tensor]] = {rate: [] for rate in self.rates}
        for features in through_stages(self.trunk, latents):
            for rate, head in self.heads.items():
                pieces[rate] += head(features)
        silence = self._silence(len(latents))
        return {rate: torch.cat((silence[rate], *pieces[rate]), -1) for rate in self.rates}

    def _rest(self, without: int = 0) -> Audio:
        """Return what is not final yet, as if the codes ended, without so many last tokens."""
        unwanted = {
            rate: self.model.geometry.sample_span(rate, 0, without).stop for rate in self.rates
        }
        spare = min(spare_through(self.heads[rate].layers, unwanted[rate]) for rate in self.rates)
        features, lacking = rest_through_stages(self.trunk, self.no_latents, 0, spare)
        return {
            rate: rest_through_stages([head], features, lacking, unwanted[rate])[0]
            for rate, head in self.heads.items()
        }

    def _silence(self, batch: int) -> Audio:
        """Return no audio at all, ``[B, 1, 0]``."""
        return {rate: torch.zeros(batch, 1, 0, device=self.device) for rate in self.rates}

    def _due(self, rate: int) -> int:
        """Return up to which sample audio is to be given by now."""
        tokens = max(0, self.tokens - self.look_ahead)
        return max(self.final[rate], self.model.geometry.sample_span(rate, 0, tokens).stop)

    def _give(self, rate: int, audio: torch.Tensor, start: int) -> torch.Tensor:
        """Return what of ``audio``, which starts at sample ``start``, is to be given now."""
        given, self.given[rate] = self.given[rate], max(self.given[rate], self._due(rate))
        return audio[..., given - start : self.given[rate] - start]
