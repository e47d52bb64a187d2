"""Train the codec that ships as ``builtin:tiny``: a narrow SNAC, briefly, on a CPU.

    uv run python tools/train_tiny_codec.py ../shared/speech/nathalie ../shared/speech/kerstin

First as an autoencoder without quantizing. Then each level's codebook is set to centroids of what
that level sees (spherical k-means, for codes are compared by direction), and the decoder is
trained on the quantized latents; encoder and quantizer stay as they are, or codes would move.
"""

from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path

import click
import torch
import torch.nn.functional as F
from torch import nn

from snac_cache.scan import Durations, scan
from snac_model import SNAC, RandomNoise, save
from snac_model.audio import read_mono, resample
from snac_model.config import SNAC_24KHZ
from snac_model.console import Tool, note, print_summary
from snac_model.devices import prepare_cpu_worker
from snac_model.layers import NoiseBlock, ResidualUnit
from snac_model.losses import ReconstructionLoss

CONFIG = replace(SNAC_24KHZ, encoder_dim=8, decoder_dim=192)
SEGMENT_TOKENS = 4
BATCH_SIZE = 4
FFT_SIZES = (256, 512, 1024, 2048)
KMEANS_ROUNDS = 12


@click.command(cls=Tool, example="train_tiny_codec.py ../shared/speech/nathalie -o tiny")
@click.argument("sources", nargs=-1, required=True, type=click.Path(exists=True, path_type=Path))
@click.option("-o", "--output", default="tiny", type=click.Path(path_type=Path))
@click.option("--autoencoder-steps", default=900)
@click.option("--decoder-steps", default=600)
@click.option("--seed", default=0)
def main(
    *,
    sources: tuple[Path, ...],
    output: Path,
    autoencoder_steps: int,
    decoder_steps: int,
    seed: int,
) -> None:
    """Train on the train splits of SOURCES and write a model folder."""
    prepare_cpu_worker()
    torch.manual_seed(seed)
    model = SNAC(**CONFIG.to_dict()).train()
    keep_variance(model)
    speech = load_speech(list(sources), model.geometry.sample_rate)
    note(f"{len(speech)} utterances, {sum(p.numel() for p in model.parameters())} parameters")
    train(model, model.parameters(), speech, autoencoder_steps, lambda x: bypass(model, x))
    fill_codebooks(model, speech)
    train(model, model.decoder.parameters(), speech, decoder_steps, lambda x: quantize(model, x))
    save(model.eval().half(), output)
    print_summary(output=str(output), steps=[autoencoder_steps, decoder_steps])


@torch.no_grad()
def keep_variance(model: SNAC) -> None:
    """Start with layers that pass on about the variance of their input, and with no biases.

    torch's own start shrinks it to a third in each convolution, so that after a dozen in a row the
    output hardly depends on the input, and neither do the gradients. Residual branches and noise
    start small instead, and the last layer as quiet as speech is.
    """
    for module in model.modules():
        if isinstance(module, nn.Conv1d | nn.ConvTranspose1d):
            module.weight = module.weight * 3**0.5
            if module.bias is not None:
                module.bias.zero_()
    for module in model.modules():
        if isinstance(module, ResidualUnit):
            scale_weight(module.block[-1], 0.2)
        if isinstance(module, NoiseBlock):
            scale_weight(module.linear, 0.02)
    scale_weight(model.decoder.head[1], 0.05)


def scale_weight(layer: nn.Module, factor: float) -> None:
    """Scale a weight-normalised layer's weight."""
    assert isinstance(layer, nn.Conv1d)
    layer.weight = layer.weight * factor


def load_speech(sources: list[Path], rate: int) -> list[torch.Tensor]:
    """Load the train split of every source, ``[T]`` each, at ``rate``."""
    found = scan(sources, val_ratio=0.05, durations=Durations(), workers=4, advance=lambda _: None)
    paths = found.rows["train"].column("audio_path").to_pylist()
    return [resample(*read_mono(path), rate) for path in paths]


def train(
    model: SNAC,
    parameters: Iterable[nn.Parameter],
    speech: list[torch.Tensor],
    steps: int,
    latents: Callable[[torch.Tensor], torch.Tensor],
) -> None:
    """Minimise the reconstruction loss of what is decoded from ``latents(audio)``."""
    weights = list(parameters)
    optimizer = torch.optim.AdamW(weights, lr=2e-3, betas=(0.8, 0.99))
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 2e-3, total_steps=steps)
    reconstruction = ReconstructionLoss(FFT_SIZES, l1_weight=10.0, stft_weight=1.0)
    for step in range(steps):
        audio = draw_batch(speech, model)
        decoded = model.decoder(latents(audio), RandomNoise())
        valid = torch.full((len(audio),), audio.shape[-1])
        losses = reconstruction(decoded[:, 0], audio[:, 0], valid)
        optimizer.zero_grad()
        losses["loss"].mean().backward()
        nn.utils.clip_grad_norm_(weights, 1.0)
        optimizer.step()
        schedule.step()
        if step % 50 == 0:
            note(f"{step}: " + ", ".join(f"{k} {v.mean():.4f}" for k, v in losses.items()))


def draw_batch(speech: list[torch.Tensor], model: SNAC) -> torch.Tensor:
    """Cut random segments at random levels, ``[B, 1, T]``."""
    length = model.geometry.coarse_samples() * SEGMENT_TOKENS
    segments = []
    for index in torch.randint(len(speech), (BATCH_SIZE,)):
        audio = F.pad(speech[index], (0, max(0, length - len(speech[index]))))
        start = int(torch.randint(len(audio) - length + 1, ()))
        segment = audio[start : start + length]
        level = 10 ** ((torch.rand(()) * 14 - 30) / 20)  # -30 to -16 dBFS
        segments.append(segment * level / segment.square().mean().sqrt().clamp_min(1e-3))
    return torch.stack(segments)[:, None].clamp(-1, 1)


def bypass(model: SNAC, audio: torch.Tensor) -> torch.Tensor:
    """Pass audio ``[B, 1, T]`` through encoder and projections alone: latents ``[B, C, T]``."""
    residual = model.encoder(audio)
    total = torch.zeros_like(residual)
    for quantizer in model.quantizer.levels:
        passed = quantizer.expand(quantizer.project(residual))
        residual, total = residual - passed, total + passed
    return total


def quantize(model: SNAC, audio: torch.Tensor) -> torch.Tensor:
    """Encode audio ``[B, 1, T]`` to codes and look those up: latents ``[B, C, T]``."""
    with torch.no_grad():
        codes = model.encode(audio)
    return model.quantizer.from_codes(codes)


@torch.no_grad()
def fill_codebooks(model: SNAC, speech: list[torch.Tensor]) -> None:
    """Centre each level's projections and set its codebook to their centroids."""
    latents = [model.encoder(model.preprocess(audio[None, None])) for audio in speech]
    for level, quantizer in enumerate(model.quantizer.levels):
        projected = [quantizer.project(z) for z in latents]
        assert quantizer.in_proj.bias is not None
        mean = torch.cat(projected, -1).mean((0, 2))
        quantizer.in_proj.bias -= mean
        vectors = torch.cat(projected, -1)[0].T - mean
        quantizer.codebook.weight.copy_(centroids(vectors, len(quantizer.codebook.weight)))
        chosen = [quantizer.nearest(quantizer.project(z)) for z in latents]
        used = torch.cat(chosen, -1).unique().numel()
        note(f"level {level}: {used} codes used by {len(vectors)} vectors")
        latents = [
            z - quantizer.expand(quantizer.lookup(codes))
            for z, codes in zip(latents, chosen, strict=True)
        ]


def centroids(vectors: torch.Tensor, count: int) -> torch.Tensor:
    """Group ``[N, D]`` by direction; return the mean vector of each group, ``[count, D]``."""
    centres = vectors[torch.randperm(len(vectors))[:count]].clone()
    for _ in range(KMEANS_ROUNDS):
        directions = F.normalize(centres).T
        nearest = torch.cat(
            [(F.normalize(chunk) @ directions).argmax(1) for chunk in vectors.split(8192)]
        )
        sums = torch.zeros_like(centres).index_add_(0, nearest, vectors)
        sizes = torch.bincount(nearest, minlength=count)[:, None]
        centres = torch.where(sizes > 0, sums / sizes.clamp_min(1), centres)
    return centres


if __name__ == "__main__":
    main()
