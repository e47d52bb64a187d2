"""The model card, written from the run."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from snac_common.artifacts import BEST_FOLDERS
from snac_common.files import write_text
from snac_model.codec.snac import SNAC
from snac_model.discriminators import DiscriminatorConfig
from snac_model.export.markdown import as_block, as_code, as_text, public_name
from snac_model.export.onnx_files import OnnxReport
from snac_model.export.run import Run
from snac_model.export.snippets import usage

README = "README.md"
RESAMPLED = "resampled/"
PLACEHOLDER = "USER/NAME"  # stands for the repository until its name is known
TO_FILL = "**To be filled in**: what the data and the base model allow. Name it here and above."

TRY = """## Try it

`try.html` runs this model in a browser on your own recording or codes; the file stays on your
machine. In this folder, run `python3 -m http.server --bind 127.0.0.1` and open
<http://127.0.0.1:8000/try.html>."""


MIXED_FIGURES = "A mix is not validated by training: measure it with `snac-eval`."

DISCRIMINATORS = """## Discriminators

`discriminators/` holds those that this decoder was trained against, for {rates} ({kinds}). Whoever
fine-tunes this decoder can go on with them:

```sh
snac-train --phase refine --base FOLDER --set adversarial.start=FOLDER/discriminators
```"""


@dataclass(frozen=True)
class CardFacts:
    """What the card says besides the run."""

    repository: str | None
    licence: str | None
    half: bool
    onnx: OnnxReport | None
    page: bool
    discriminators: DiscriminatorConfig | None = None


def write_card(run: Run, model: SNAC, facts: CardFacts, folder: Path) -> None:
    """Write ``README.md``, with the front matter that the Hub reads."""
    sections = [
        f"---\n{_front_matter(run, model, facts)}\n---",
        _introduction(run, model, facts),
        "## Use",
        *usage(
            model.geometry,
            facts.repository or PLACEHOLDER,
            facts.onnx,
            model.config.decoder_kind,
        ),
        *([TRY] if facts.page else []),
        *([_discriminators(facts.discriminators)] if facts.discriminators else []),
        "## Training",
        _data(run),
        MIXED_FIGURES if run.mix else _figures(run),
        f"The recipe:\n\n{as_block(_without_private_paths(run), 'toml')}",
        f"## Licence\n\n{facts.licence or TO_FILL}",
    ]
    write_text(folder / README, "\n\n".join(sections) + "\n")


# what stands between quotes and leads from the root, the home or the working directory
PRIVATE_PATH = re.compile(r"""(?<=["'])(?:~|\.{0,2})/[^"'\n]+(?=["'])""")


def _front_matter(run: Run, model: SNAC, facts: CardFacts) -> str:
    from huggingface_hub import ModelCardData

    base = run.state["base"]
    card = ModelCardData(
        license=facts.licence,
        library_name="snac" if model.config.decoder_kind == "snac" else None,
        pipeline_tag="audio-to-audio",
        tags=["audio", "codec", "speech", *(["onnx"] if facts.onnx else [])],
        base_model=base if _is_hub_id(base) and not _from_nothing(run) else None,
    )
    return str(card.to_yaml()).strip()


def _introduction(run: Run, model: SNAC, facts: CardFacts) -> str:
    geometry = model.geometry
    rates = " and ".join(f"{rate / 1000:g} kHz" for rate in geometry.output_rates)
    trained = run.recipe["model"]
    if _from_nothing(run):
        tokens = "**Its tokens are its own.**"
    elif trained["freeze_encoder"] and trained["freeze_vq"]:
        tokens = (
            "Encoder and quantizer are those of the starting model, bit for bit: every language "
            "model that was trained on its tokens works with this decoder as it is."
        )
    else:
        tokens = (
            "Encoder or quantizer were trained too: **its tokens are not those of the starting "
            "model.**"
        )
    base = as_code(public_name(run.state["base"]))
    start = (
        f"trained from random weights with the architecture of {base}"
        if _from_nothing(run)
        else f"fine-tuned on speech from {base} (SHA-256 of its weights "
        f"{as_code(run.state['base_sha256'][:16] + '...')})"
    )
    half = " The decoder's weights are stored as float16." if facts.half else ""
    return (
        f"# {as_text((facts.repository or run.name).split('/')[-1])}\n\n"
        f"A [SNAC](https://github.com/hubertsiuzdak/snac) codec at {geometry.sample_rate / 1000:g} "
        f"kHz whose {_decoder(model)} gives {rates}, {start}. {tokens}{half}{_mix(run)}"
    )


def _from_nothing(run: Run) -> bool:
    """Say whether the run took of its base the architecture alone."""
    return bool(run.recipe["model"].get("weights") == "random")


def _decoder(model: SNAC) -> str:
    """Say what decodes; a Fourier decoder began by imitating another one."""
    kind = model.config.decoder_kind
    return "decoder" if kind == "snac" else f"new decoder ({kind}: spectra, and an inverse STFT)"


def _mix(run: Run) -> str:
    """Say what was mixed, if anything."""
    if not run.mix:
        return ""
    shares = " and ".join(f"{share:g} of {as_code(name)}" for name, share in run.mix.items())
    return f" The decoder's weights are a mean of several runs': {shares}."


def _discriminators(config: DiscriminatorConfig) -> str:
    rates = " and ".join(f"{rate / 1000:g} kHz" for rate in config.rates)
    kinds = []
    if config.periods:
        kinds.append(f"periods {', '.join(map(str, config.periods))}")
    if config.window_sizes:
        kinds.append(f"windows of {', '.join(map(str, config.window_sizes))} samples")
    return DISCRIMINATORS.format(rates=rates, kinds="; ".join(kinds))


def _data(run: Run) -> str:
    counts, hours = run.state["counts"], _numbers(run.state.get("hours"))
    rows = [
        f"| {split} | {counts[split]:,} | {_hours(hours.get(split))} |"
        for split in ("train", "val")
    ]
    table = "\n".join(["| | utterances | hours |", "| --- | ---: | ---: |", *rows])
    chosen = "the newest one" if _is_newest(run) else "the best one on validation"
    model = (
        f"The model after epoch {run.score['epoch']} of {run.state['plan']['epochs']} (step "
        f"{run.score['step']:,} of {run.state['plan']['steps']:,}), {chosen}."
    )
    return f"Data: **say here what speech it was.**\n\n{table}" + (
        "" if run.mix else f"\n\n{model}"
    )


def _is_newest(run: Run) -> bool:
    """Say whether the model in ``best/`` is the newest, as in a refined run."""
    kept = run.recipe.get("checkpoint", {}).get("best", [])
    return "last" in kept and run.model.name == BEST_FOLDERS["last"]


def _hours(hours: float | None) -> str:
    return "" if hours is None else f"{hours:.2f}"


def _figures(run: Run) -> str:
    """Say what validation measured of the model, and of the starting model."""
    metrics, start = _numbers(run.score["metrics"]), _numbers(run.state.get("baseline"))
    lines = "\n".join(_figure_rows(metrics, start))
    return (
        "Validation losses; lower is better. *Starting model* is the model that training started "
        "from; of a new decoder, the one that it imitated first. Where it has no 48 kHz "
        "output, *resampled* is its 24 kHz output at 48 kHz, and this model is compared with "
        "that.\n\n"
        "| | starting model | resampled | this model | |\n"
        f"| --- | ---: | ---: | ---: | ---: |\n{lines}"
    )


def _figure_rows(metrics: dict[str, float], start: dict[str, float]) -> Iterator[str]:
    for name, value in metrics.items():
        own, resampled = start.get(name), start.get(f"{RESAMPLED}{name}")
        # a new 48 kHz output is in the weighted loss, too: untrained, it is nothing to compare with
        mixed = name == "loss" and f"{RESAMPLED}48k/loss" in start
        change = "" if mixed else _change(value, own if resampled is None else resampled)
        figures = (_number(own), _number(resampled), _number(value), change)
        yield f"| {as_text(name)} | {' | '.join(figures)} |"


def _change(value: float, before: float | None) -> str:
    """Return a change in words: ``44.7 % lower``."""
    if not before:
        return ""
    percent = round(100 * (value / before - 1), 1)
    return f"{abs(percent):.1f} % {'higher' if percent > 0 else 'lower'}" if percent else "the same"


def _numbers(values: Any) -> dict[str, float]:
    """Return those of some named values that are numbers."""
    named = values.items() if isinstance(values, dict) else ()
    return {name: value for name, value in named if isinstance(value, float)}


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:.4f}"


def _without_private_paths(run: Run) -> str:
    """Return the recipe, with no more of a path than the card says of the base."""
    return PRIVATE_PATH.sub(lambda path: public_name(path.group()), run.recipe_text.strip())


def _is_hub_id(base: str) -> bool:
    return base.count("/") == 1 and not base.startswith((".", "/", "~")) and not Path(base).exists()
