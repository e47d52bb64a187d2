"""What is minimised: decode a batch, compare each head with its own reference."""

from contextlib import nullcontext
from typing import NamedTuple

import torch
from torch import nn

from snac_model.audio.reading import resample
from snac_model.codec.snac import SNAC
from snac_model.layers.noise import SeededNoise
from snac_model.layers.segments import Segments
from snac_model.losses.reconstruction import masked_mean
from snac_train.data.segments import Batch
from snac_train.recipe.heads import HEADS
from snac_train.recipe.tables import Recipe
from snac_train.training.adversary import Opponent, Scores
from snac_train.training.arithmetic import tf32
from snac_train.training.losses import HeadLoss
from snac_train.training.teacher import Teacher

Losses = dict[str, torch.Tensor]


class Latents(NamedTuple):
    """Quantized latents of a batch's windows.

    Attributes:
        values: ``[B, C, frames]``.
        losses: of the quantizer ``[B]``, if encoder or quantizer are trained.
        codes: ``[B, tokens]`` a level; none where projections stand for them.
    """

    values: torch.Tensor
    losses: Losses
    codes: list[torch.Tensor]


class Objective(nn.Module):
    """A model with its losses; a batch in, every loss of every item out.

    A module of its own so that whatever runs models in parallel wraps the whole of a step.

    Args:
        adversary: discriminators, whose judgement of the segments is reported beside the losses.
        teacher: another decoder, from whose audio the distance is reported beside the losses.
        imitates: whether the teacher's audio takes the place of the references.
        quantized: whether a tokenizer that is trained chooses codes; without, its projections
            stand for them.
        precision: of what is trained, ``fp32``, ``tf32`` or ``bf16``: the trunk's and the
            encoder's, never that of heads and losses. What only measures a model leaves it at
            float32.
    """

    def __init__(
        self,
        model: SNAC,
        recipe: Recipe,
        *,
        adversary: Opponent | Scores | None = None,
        teacher: SNAC | None = None,
        imitates: bool = False,
        quantized: bool = True,
        precision: str = "fp32",
    ) -> None:
        super().__init__()
        self.adversary = adversary
        self.quantized = quantized
        self.model = model
        self.heads: dict[str, int] = {HEADS[rate]: rate for rate in model.geometry.output_rates}
        self.teacher = Teacher(teacher, self.heads) if teacher else None
        self.imitates = imitates
        self.precision = precision
        self.trains_tokenizer = not (recipe.model.freeze_encoder and recipe.model.freeze_vq)
        loss = recipe.loss
        self.weights = {"24k": loss.weight_24k, "48k": loss.weight_48k}
        self.quantizer_weights = {
            "commitment": loss.commitment_weight,
            "codebook": loss.codebook_weight,
        }
        self.losses = nn.ModuleDict({head: HeadLoss(loss, head) for head in self.heads})

    def forward(self, batch: Batch) -> Losses:
        """Return ``loss``, and of each head ``loss`` and its terms, each ``[B]``.

        Where encoder or quantizer are trained, ``commitment`` and ``codebook`` as well; with
        discriminators of each head what they say, and ``adversarial``, what the decoder minimises
        of it beside ``loss``; with a teacher that is not imitated, ``imitation/loss`` and so on.
        """
        return self.with_codes(batch)[0]

    def with_codes(self, batch: Batch) -> tuple[Losses, list[torch.Tensor]]:
        """Return what ``forward`` does, and the codes that it is of, ``[B, tokens]`` a level."""
        latents, quantizer_losses, codes = self.latents(batch)
        losses = self._compared(latents, self.decode_segments(latents, batch), batch)
        for name, value in quantizer_losses.items():
            losses[name] = value
            losses["loss"] = losses["loss"] + self.quantizer_weights[name] * value
        return losses, codes

    def _compared(self, latents: torch.Tensor, segments: Losses, batch: Batch) -> Losses:
        """Compare segments with their references, and with what a teacher makes of the latents."""
        if self.teacher is None:
            return self.compare(segments, batch)
        taught = self.taught(latents, batch)
        if self.imitates:
            return self._distances(segments, taught, batch)
        distances = self._distances(segments, taught, batch)
        return self.compare(segments, batch) | {
            f"imitation/{name}": value for name, value in distances.items()
        }

    def taught(self, latents: torch.Tensor, batch: Batch) -> Losses:
        """Return what the teacher makes of the segments, ``[B, T]`` a head."""
        assert self.teacher is not None
        return self.teacher.segments(latents, self._segments(latents, batch))

    def latents(self, batch: Batch) -> "Latents":
        """Return the windows' quantized latents, zero beyond the utterance."""
        losses: Losses = {}
        codes: list[torch.Tensor] = []
        if self.trains_tokenizer and not self.quantized:
            latents = self.model.quantizer.bypass_quantization(self.encoded(batch))
        elif self.trains_tokenizer:
            quantized = self.model.quantizer.quantize_for_training(self.encoded(batch))
            latents, codes = quantized.latents, quantized.codes
            losses = {
                "commitment": _mean_over_own(quantized.commitment, batch),
                "codebook": _mean_over_own(quantized.codebook, batch),
            }
        else:
            with torch.no_grad():
                codes = self.codes(batch)
                latents = self.model.quantizer.from_codes(codes)
        own = own_positions(batch, latents.shape[-1])
        return Latents(latents * own[:, None], losses, codes)

    def encoded(self, batch: Batch) -> torch.Tensor:
        """Return the windows' latents as the encoder gives them, ``[B, C, frames]``."""
        with self._autocast(batch.audio.device):
            return self.model.encoder(self._windows(batch)).float()

    @torch.no_grad()
    def codes(self, batch: Batch) -> list[torch.Tensor]:
        """Return the windows' codes, ``[B, tokens]`` a level: the cached ones, or encode them."""
        return batch.codes or self.model.encode(self._windows(batch))

    def decode(self, latents: torch.Tensor, batch: Batch) -> Losses:
        """Decode the windows: each head's audio ``[B, T]`` in float32, context included."""
        return self._decode(latents, batch, None)

    def decode_segments(self, latents: torch.Tensor, batch: Batch) -> Losses:
        """Decode the windows' segments, with no more of the context than they need."""
        return self._decode(latents, batch, self._segments(latents, batch))

    def _segments(self, latents: torch.Tensor, batch: Batch) -> Segments:
        stride = self.model.geometry.vq_strides[0]
        return Segments(
            stride * batch.offsets, stride * batch.segment_tokens, window=latents.shape[-1]
        )

    def _decode(self, latents: torch.Tensor, batch: Batch, segments: Segments | None) -> Losses:
        with self._autocast(latents.device):  # which heads leave
            noise = SeededNoise(batch.noise_seeds)
            outputs = self.model.decode_latents(latents, noise, segments)
        return {head: outputs[rate][:, 0] for head, rate in self.heads.items()}

    def head_loss(self, head: str) -> HeadLoss:
        """Return what compares a head with its reference."""
        loss = self.losses[head]
        assert isinstance(loss, HeadLoss)
        return loss

    def references(self, batch: Batch) -> Losses:
        """Return what each head's segments are compared with, ``[B, T]``."""
        return {head: self._reference(batch, rate) for head, rate in self.heads.items()}

    def compare(self, segments: Losses, batch: Batch) -> Losses:
        """Compare each head's segments, ``[B, T]``, with their references."""
        references = self.references(batch)
        losses = self._distances(segments, references, batch)
        return losses | self._judged(segments, references, batch)

    def _distances(self, segments: Losses, references: Losses, batch: Batch) -> Losses:
        """Return every loss of each head's segments, both ``[B, T]``: ``[B]``."""
        losses: Losses = {}
        total = torch.zeros((), device=batch.audio.device)
        for head, rate in self.heads.items():
            parts = self.losses[head](segments[head], references[head], batch.valid[rate])
            losses |= {f"{head}/{name}": value for name, value in parts.items()}
            total = total + self.weights[head] * parts["loss"]
        if f"{head}/mel" in losses:
            mel = [self.weights[each] * losses[f"{each}/mel"] for each in self.heads]
            losses["mel"] = torch.stack(mel).sum(0)
        return {"loss": total, **losses}

    def _judged(self, segments: Losses, references: Losses, batch: Batch) -> Losses:
        """Return what the adversary says of each head, and the sum that is minimised of it."""
        if self.adversary is None:
            return {}
        losses: Losses = {}
        weighted = []
        for head in self.adversary.heads:
            valid = batch.valid[self.heads[head]]
            said = self.adversary.losses(head, segments[head], references[head], valid)
            losses |= {f"{head}/{name}": value for name, value in said.items()}
            for name, weight in self.adversary.weights.items():
                if name in said:
                    weighted.append(self.weights[head] * weight * said[name])
        return losses | ({"adversarial": torch.stack(weighted).sum(0)} if weighted else {})

    def _windows(self, batch: Batch) -> torch.Tensor:
        """Return the windows' audio at the codec's rate, ``[B, 1, T]``."""
        rate = self.model.geometry.sample_rate
        return self._without_margin(batch, rate, batch.window_tokens)[:, None]

    def _reference(self, batch: Batch, rate: int) -> torch.Tensor:
        if batch.codes:
            return self._without_margin(batch, rate, batch.segment_tokens)
        return self.cut(self._without_margin(batch, rate, batch.window_tokens), rate, batch)

    def _without_margin(self, batch: Batch, rate: int, tokens: int) -> torch.Tensor:
        """Resample the batch's audio to ``rate`` and cut off its margins, ``[B, T]``."""
        margin = batch.margin * rate // batch.rate
        length = self.model.geometry.sample_span(rate, 0, tokens).stop
        with tf32(False):
            audio = resample(batch.audio, batch.rate, rate)
        return audio[:, margin : margin + length]

    def cut(self, audio: torch.Tensor, rate: int, batch: Batch) -> torch.Tensor:
        """Cut each item's segment out of its window, ``[B, T]`` to ``[B, t]``."""
        geometry = self.model.geometry
        length = geometry.sample_span(rate, 0, batch.segment_tokens).stop
        starts = batch.offsets * geometry.coarse_samples(rate)
        return audio.gather(1, starts[:, None] + torch.arange(length, device=audio.device))

    def _autocast(self, device: torch.device) -> torch.autocast | nullcontext:
        if self.precision == "bf16":
            return torch.autocast(device.type, torch.bfloat16)
        return nullcontext()


def resampled_losses(base: Objective, wanted: Objective, batch: Batch) -> Losses:
    """Return the 48 kHz losses of a base's resampled 24 kHz output: what a new head must beat."""
    audio = base.decode(base.latents(batch).values, batch)["24k"]
    resampled = {
        head: wanted.cut(resample(audio, base.heads["24k"], rate), rate, batch)
        for head, rate in wanted.heads.items()
    }
    losses = wanted.compare(resampled, batch)
    return {f"resampled/{name}": value for name, value in losses.items() if "48k" in name}


def own_positions(batch: Batch, positions: int) -> torch.Tensor:
    """Ones over the utterance's own tokens, of a level or latent frames: ``[B, positions]``."""
    own = torch.arange(batch.window_tokens, device=batch.audio.device) < batch.tokens[:, None]
    return own.float().repeat_interleave(positions // batch.window_tokens, dim=1)


def _mean_over_own(levels: list[torch.Tensor], batch: Batch) -> torch.Tensor:
    """Sum over levels of the mean over the utterance's own tokens, each ``[B, T]``: ``[B]``."""
    means = [masked_mean(values, own_positions(batch, values.shape[-1])) for values in levels]
    return torch.stack(means).sum(0)
