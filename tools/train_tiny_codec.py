"""Train the codec that ships as ``builtin:tiny``: a narrow SNAC, briefly, on a CPU.

    uv run python tools/train_tiny_codec.py ../shared/speech/nathalie ../shared/speech/kerstin

For the first steps the quantizer is left out, then the codebooks are filled with latents and the
whole model is trained with codebook and commitment losses (van den Oord et al., 2017). Codes that
nothing uses are moved onto latents.
"""

from pathlib import Path

import click
import torch
import torch.nn.functional as F

from snac_cache.scan import scan
from snac_model import SNAC, RandomNoise, save
from snac_model.audio import read_mono, resample
from snac_model.console import Tool, note, print_summary
from snac_model.devices import prepare_cpu_worker
from snac_model.losses import ReconstructionLoss

CONFIG = {
    "sampling_rate": 24000,
    "encoder_dim": 8,
    "encoder_rates": [2, 4, 8, 8],
    "decoder_dim": 192,
    "decoder_rates": [8, 8, 4, 2],
    "attn_window_size": None,
    "codebook_size": 4096,
    "codebook_dim": 8,
    "vq_strides": [4, 2, 1],
    "noise": True,
    "depthwise": True,
}
SEGMENT_TOKENS = 6
BATCH_SIZE = 8
STEPS_BEFORE_QUANTIZING = 500
STEPS_BETWEEN_REVIVALS = 250
FFT_SIZES = (256, 512, 1024, 2048)


@click.command(cls=Tool, example="train_tiny_codec.py ../shared/speech/nathalie -o tiny")
@click.argument("sources", nargs=-1, required=True, type=click.Path(exists=True, path_type=Path))
@click.option("-o", "--output", default="tiny", type=click.Path(path_type=Path))
@click.option("--steps", default=5000)
@click.option("--seed", default=0)
def main(sources: tuple[Path, ...], output: Path, steps: int, seed: int) -> None:
    """Train on the train splits of SOURCES and write a model folder."""
    prepare_cpu_worker()
    torch.manual_seed(seed)
    model = SNAC(**CONFIG).train()
    speech = load_speech(list(sources), model.geometry.sample_rate)
    note(f"{len(speech)} utterances, {sum(p.numel() for p in model.parameters())} parameters")
    optimizer = torch.optim.AdamW(model.parameters(), lr=2e-3, betas=(0.8, 0.99))
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 2e-3, total_steps=steps)
    trainer = Trainer(model)
    for step in range(steps):
        if step == STEPS_BEFORE_QUANTIZING:
            trainer.fill_codebooks(torch.cat([draw_batch(speech, model) for _ in range(40)]))
        losses = trainer.losses(draw_batch(speech, model), step >= STEPS_BEFORE_QUANTIZING)
        optimizer.zero_grad()
        losses["total"].backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        schedule.step()
        if step > STEPS_BEFORE_QUANTIZING and step % STEPS_BETWEEN_REVIVALS == 0:
            unused = trainer.revive_codes() if step < 0.8 * steps else []
            note(f"codes unused: {unused}")
        if step % 100 == 0:
            note(f"{step}: " + ", ".join(f"{k} {v.item():.4f}" for k, v in losses.items()))
        if step % 1000 == 999:
            save(model, output)
    save(model, output)
    print_summary(output=str(output), steps=steps)


def load_speech(sources: list[Path], rate: int) -> list[torch.Tensor]:
    """Load the train split of every source, ``[T]`` each, at ``rate``."""
    found = scan(sources, val_ratio=0.05, min_duration=1.0, workers=4, advance=lambda _: None)
    paths = found.rows["train"].column("audio_path").to_pylist()
    return [resample(*read_mono(path), rate) for path in paths]


def draw_batch(speech: list[torch.Tensor], model: SNAC) -> torch.Tensor:
    """Cut random segments at random gains, ``[B, 1, T]``."""
    length = model.geometry.coarse_samples() * SEGMENT_TOKENS
    segments = []
    for index in torch.randint(len(speech), (BATCH_SIZE,)):
        audio = F.pad(speech[index], (0, max(0, length - len(speech[index]))))
        start = int(torch.randint(len(audio) - length + 1, ()))
        gain = 10 ** ((torch.rand(()) * 18 - 12) / 20)
        segments.append(audio[start : start + length] * gain)
    return torch.stack(segments)[:, None].clamp(-1, 1)


class Trainer:
    """The losses of a codec that learns its codebooks."""

    def __init__(self, model: SNAC) -> None:
        self.model = model
        self.reconstruction = ReconstructionLoss(FFT_SIZES, l1_weight=10.0, stft_weight=1.0)
        self.latents: list[torch.Tensor] = []
        self.used = [torch.zeros(model.config.codebook_size) for _ in model.quantizer.levels]

    def losses(self, audio: torch.Tensor, quantize: bool) -> dict[str, torch.Tensor]:
        """Return the total and its parts for a batch ``[B, 1, T]``."""
        z = self.model.encoder(audio)
        z_q, vq = self.quantize(z) if quantize else (self.bypass(z), torch.zeros(()))
        decoded = self.model.decoder(z_q, RandomNoise())
        valid = torch.full((len(audio),), audio.shape[-1])
        parts = self.reconstruction(decoded[:, 0], audio[:, 0], valid)
        parts = {name: value.mean() for name, value in parts.items()}
        return {"total": parts["loss"] + vq, "vq": vq, "l1": parts["l1"], "stft": parts["stft"]}

    def quantize(self, z: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Quantize ``[B, C, T]`` level by level; also the codebook and commitment losses."""
        residual, total, loss = z, torch.zeros(()), torch.zeros(())
        self.latents = []
        for level, quantizer in enumerate(self.model.quantizer.levels):
            projected = quantizer.project(residual)
            codes = quantizer.nearest(projected)
            vectors = quantizer.lookup(codes)
            loss = loss + F.mse_loss(vectors, projected.detach())
            loss = loss + 0.25 * F.mse_loss(projected, vectors.detach())
            quantized = quantizer.expand(projected + (vectors - projected).detach())
            residual, total = residual - quantized, total + quantized
            self.used[level] += torch.bincount(codes.flatten(), minlength=len(self.used[level]))
            self.latents.append(projected.detach().transpose(1, 2).flatten(0, 1))
        return total, loss

    def bypass(self, z: torch.Tensor) -> torch.Tensor:
        """Pass ``[B, C, T]`` through the projections alone."""
        residual, total = z, torch.zeros(())
        for quantizer in self.model.quantizer.levels:
            passed = quantizer.expand(quantizer.project(residual))
            residual, total = residual - passed, total + passed
        return total

    @torch.no_grad()
    def fill_codebooks(self, audio: torch.Tensor) -> None:
        """Fill each level's codebook with latents of ``[B, 1, T]``, coarsest level first."""
        z = self.model.encoder(audio)
        for quantizer in self.model.quantizer.levels:
            projected = quantizer.project(z)
            vectors = projected.transpose(1, 2).flatten(0, 1)
            choice = torch.randint(len(vectors), (len(quantizer.codebook.weight),))
            jitter = 1e-2 * torch.randn(len(choice), vectors.shape[1]) * vectors.std()
            quantizer.codebook.weight.copy_(vectors[choice] + jitter)
            z = z - quantizer.expand(quantizer.lookup(quantizer.nearest(projected)))

    @torch.no_grad()
    def revive_codes(self) -> list[int]:
        """Move codes that nothing used onto latents of the last batch; return how many a level."""
        unused = []
        levels = zip(self.model.quantizer.levels, self.used, self.latents, strict=True)
        for quantizer, used, latents in levels:
            dead = (used == 0).nonzero().flatten()
            choice = torch.randint(len(latents), (len(dead),))
            jitter = 1e-2 * torch.randn(len(dead), latents.shape[1]) * latents.std()
            quantizer.codebook.weight[dead] = latents[choice] + jitter
            unused.append(len(dead))
            used.zero_()
        return unused


if __name__ == "__main__":
    main()
