"""Recipes: everything that decides a run's result, one dataclass a table of the TOML file."""

from dataclasses import asdict, dataclass
from typing import Annotated, Literal

from snac_train.recipe.settings import Between

Count = Annotated[int, Between(1)]
CountOrNone = Annotated[int, Between(0)]
NotNegative = Annotated[float, Between(0)]
Share = Annotated[float, Between(0, 1)]
Decay = Annotated[float, Between(0, 0.999999)]
Divisor = Annotated[float, Between(1)]
Speed = Annotated[float, Between(0.5, 2)]


@dataclass(frozen=True)
class Data:
    """Which segments are trained on.

    Attributes:
        seed: decides order, slices and noise of every epoch.
        where: train on those utterances for which this SQL condition on the manifest's columns is
            true, such as ``speaker = 'x'``; empty for all.
        limit: train on so many of them, chosen by a hash of their ids; 0 for all.
        context: decode each segment with the decoder's context beside it, as in a whole utterance.
        codes: ``cached``, or ``encoded`` from the reference audio as it is trained on; then the
            manifest says which utterances there are, not the cache.
        reference: what the output is compared with: the 48 kHz ``target``, or the ``source`` itself
            resampled to the codec's rate, which holds nothing for a 48 kHz head.
    """

    seed: int
    where: str
    limit: CountOrNone
    context: bool
    codes: Literal["cached", "encoded"]
    reference: Literal["target", "source"]


@dataclass(frozen=True)
class Augmentation:
    """How an utterance that is encoded in training is changed, anew in every epoch.

    So that a codec trained on few voices and one microphone works for others.

    Attributes:
        gain_db: louder or quieter by at most this much.
        speeds: one of them for each utterance, as the nearest fraction of at most twentieths;
            1.1 is shorter and higher by that factor.
        mix: share of utterances that another one, quieter, is added to.
        narrow: share of utterances whose upper frequencies are cut off.
    """

    gain_db: NotNegative
    speeds: tuple[Speed, ...]
    mix: Share
    narrow: Share

    @property
    def nothing(self) -> bool:
        """Whether every utterance stays as it is."""
        return set(self.speeds) <= {1.0} and not (self.gain_db or self.mix or self.narrow)


@dataclass(frozen=True)
class Curriculum:
    """How long and how many segments are in a batch, by epoch; the lists run in parallel.

    Attributes:
        epochs: of the whole run, warm-up included.
        warmup_epochs: the first ones, in which only new layers are trained.
        batch_size: segments in a batch, before the multiplier.
        epoch_ranges: such as ``1-2``, both ends included.
        segment_s: wished-for segment length in each range; rounded to whole coarse tokens.
        batch_multiplier: of ``batch_size`` in each range.
    """

    epochs: Count
    warmup_epochs: CountOrNone
    batch_size: Count
    epoch_ranges: tuple[str, ...]
    segment_s: tuple[NotNegative, ...]
    batch_multiplier: tuple[NotNegative, ...]


@dataclass(frozen=True)
class Model:
    """What is trained.

    Attributes:
        base: the model to start from; empty for the one that made the codes.
        weights: the base's own, or ``random`` ones for its architecture; then warm-up trains
            encoder and decoder as if nothing were quantized.
        heads: rates of the outputs: ``24k`` is the base's own, ``48k`` has one more 2x block; empty
            for those that the base has.
        new_layers: what the 48 kHz head's own layers start from: the base's last layers ``copied``,
            or ``random``.
        decoder: the ``base``'s own, or a new one as ``[fourier]`` says, whose warm-up imitates a
            teacher. A base that has such a decoder goes on with it.
        teacher: the model whose decoder is imitated; empty for the base.
        freeze_encoder: leave the encoder as it is.
        freeze_vq: leave the quantizer as it is. If either is trained, codes are ``encoded``.
        compile: let torch compile the decoder's blocks.
    """

    base: str
    weights: Literal["pretrained", "random"]
    heads: tuple[Literal["24k", "48k"], ...]
    new_layers: Literal["copied", "random"]
    decoder: Literal["base", "fourier"]
    teacher: str
    freeze_encoder: bool
    freeze_vq: bool
    compile: bool


@dataclass(frozen=True)
class Fourier:
    """A Fourier decoder: ConvNeXt blocks, and an inverse STFT a head.

    Attributes:
        dim: channels of the blocks.
        hidden: channels within a block.
        blocks: how many.
        kernel: of the first convolution and of each block's.
        upsample: spectra for a latent frame.
        look_ahead: latent frames after its own that a spectrum depends on; a stream waits for them.
    """

    dim: Count
    hidden: Count
    blocks: Count
    kernel: Count
    upsample: Count
    look_ahead: CountOrNone


@dataclass(frozen=True)
class Codebooks:
    """What is done about codes that training alone would never use.

    Attributes:
        fill: set every codebook to centroids of what its level sees, when warm-up is over.
        revive_every: epochs of the main stage after which codes that are no longer used start
            anew; 0 for never.
        vectors_per_code: coarsest vectors that are looked at for it, times the codebook's size.
    """

    fill: bool
    revive_every: CountOrNone
    vectors_per_code: Count


@dataclass(frozen=True)
class Optimizer:
    """AdamW.

    Attributes:
        warmup_lr: constant rate of the new layers in warm-up; where that is an imitation, the peak
            of the schedule that the main stage has too.
        main_lr: peak rate of every other group.
        tokenizer_lr: peak rate of the encoder and of the quantizer's projections, where they are
            trained. Codes lag behind latents that move fast, and are lost.
        head_24k_lr: peak rate of a dual head's 24 kHz head: the last Snake and convolution.
        weight_decay: decoupled.
        clip: largest norm of the gradient; 0 leaves it as it is.
        betas: of the moving means of the gradient and of its square, two.
        average: decay of the moving average of the weights, which is then what is validated and
            kept as the best model; 0 for none, and the weights themselves.
        accumulate: pieces that a process cuts its share of a batch into, one after another, to save
            memory; the batch stays the same. 0 for as few as fit.
        precision: of the trunk's products on a GPU. ``tf32`` rounds their inputs to 10 bits,
            ``bf16`` all that the trunk works on to 8; heads, losses, resampling and validation are
            in float32.
    """

    warmup_lr: NotNegative
    main_lr: NotNegative
    tokenizer_lr: NotNegative
    head_24k_lr: NotNegative
    weight_decay: NotNegative
    clip: NotNegative
    betas: tuple[Decay, ...]
    average: Decay
    accumulate: CountOrNone
    precision: Literal["fp32", "tf32", "bf16"]


@dataclass(frozen=True)
class Schedule:
    """The learning rate over the whole main stage, and over a whole imitation.

    Attributes:
        shape: ``onecycle`` (torch's OneCycleLR, with its names below), ``cosine`` from the peak
            down to ``floor``, or ``constant``.
        peak_factor: scales the peak of every parameter group.
        floor: share of the peak at which the cosine ends.
        pct_start: share of the stage's steps in which the cycle rises.
        div_factor: peak divided by the cycle's first rate.
        final_div_factor: the cycle's first rate divided by its last.
    """

    shape: Literal["onecycle", "cosine", "constant"]
    peak_factor: NotNegative
    floor: Share
    pct_start: Share
    div_factor: Divisor
    final_div_factor: Divisor


@dataclass(frozen=True)
class Loss:
    """What is minimised.

    Attributes:
        terms: what each head is compared with its reference by: ``l1``, ``stft`` and ``mel``, with
            the weights and window sizes below.
        weight_24k: of the 24 kHz head's loss, beside ``weight_48k`` of the other's.
        commitment_weight: where encoder or quantizer are trained, as ``codebook_weight``.
    """

    terms: tuple[Literal["l1", "stft", "mel"], ...]
    weight_24k: NotNegative
    weight_48k: NotNegative
    l1_weight: NotNegative
    stft_weight: NotNegative
    fft_sizes_24k: tuple[Count, ...]
    fft_sizes_48k: tuple[Count, ...]
    mel_weight: NotNegative
    mel_windows: tuple[Count, ...]
    commitment_weight: NotNegative
    codebook_weight: NotNegative


@dataclass(frozen=True)
class Adversarial:
    """Discriminators, which learn to tell outputs from references while the decoder learns not to
    be told apart.

    Attributes:
        weight: of the decoder's adversarial loss; with 0 there are no discriminators at all.
        feature_weight: of feature matching, how far the discriminators' layers differ between
            output and reference, relative to the reference's.
        heads: whose output is judged, of the heads that the model has; each has its own set.
        periods: one discriminator each sees every period-th sample side by side.
        period_channels: of their convolutions.
        window_sizes: one discriminator each sees the complex spectrogram of that window, in bands.
        band_edges: of the bands, as shares of the highest frequency, from 0 to 1.
        band_channels: of the convolutions of each band.
        lr: peak learning rate of the discriminators; its course is the schedule's.
        clip: largest norm of their gradient; 0 leaves it as it is.
        head_start: first steps of the main stage, in which the discriminators alone are trained.
        every: steps from one update of the discriminators to the next, after that.
        start: a folder or run whose discriminators to go on with; empty to start from random ones.
    """

    weight: NotNegative
    feature_weight: NotNegative
    heads: tuple[Literal["24k", "48k"], ...]
    periods: tuple[Count, ...]
    period_channels: tuple[Count, ...]
    window_sizes: tuple[Count, ...]
    band_edges: tuple[Share, ...]
    band_channels: Count
    lr: NotNegative
    clip: NotNegative
    head_start: CountOrNone
    every: Count
    start: str


@dataclass(frozen=True)
class Validation:
    """What is measured after each epoch, alike in every run whose table is alike.

    Attributes:
        seed: decides segments and noise; apart from the training's, so that runs compare.
        where: validate on those utterances for which this SQL condition is true, as ``data.where``.
        limit: validate on so many of them, chosen by a hash of their ids; 0 for all.
        segment_s: segment length; shorter utterances are taken whole.
        batch_size: does not change the result.
        curriculum: also measure the starting model, and the best one at the end, with each of the
            curriculum's segment lengths.
    """

    seed: int
    where: str
    limit: CountOrNone
    segment_s: NotNegative
    batch_size: Count
    curriculum: bool


@dataclass(frozen=True)
class Checkpoint:
    """What is kept.

    Attributes:
        best: validation scores whose best model is kept: ``combined``, the whole loss; ``24k`` and
            ``48k``, of one head; ``mel``, the mel term alone. Or ``last``, the newest model
            whatever its score, in ``best/`` as ``combined`` is: no loss tells when a decoder that
            is trained against discriminators sounds best.
        every_steps: steps between checkpoints within an epoch; 0 for none. There is always one at
            the end of an epoch.
        every_minutes: the same in minutes.
        keep: newest checkpoints that are kept.
        keep_epochs: keep the checkpoint at the end of every epoch too.
    """

    best: tuple[Literal["combined", "mel", "24k", "48k", "last"], ...]
    every_steps: CountOrNone
    every_minutes: NotNegative
    keep: Count
    keep_epochs: bool


@dataclass(frozen=True)
class Tracking:
    """What is written down.

    Attributes:
        log_every: steps that a training line of metrics.jsonl sums up.
        project: W&B project.
        group: W&B group, under which runs are compared.
    """

    log_every: Count
    project: str
    group: str


@dataclass(frozen=True)
class Recipe:
    """A whole recipe."""

    data: Data
    augmentation: Augmentation
    curriculum: Curriculum
    model: Model
    fourier: Fourier
    codebooks: Codebooks
    optimizer: Optimizer
    schedule: Schedule
    loss: Loss
    adversarial: Adversarial
    validation: Validation
    checkpoint: Checkpoint
    tracking: Tracking

    def to_toml(self) -> str:
        """Return the recipe as the TOML text that it can be read from again."""
        import tomli_w

        return tomli_w.dumps(asdict(self))
