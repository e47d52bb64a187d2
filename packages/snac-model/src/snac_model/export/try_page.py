"""A page that runs the exported ONNX files in a browser, on a file of its visitor.

It is one file, to be served from the export's folder by any server of files. The library that runs
the models is not part of the project: the page takes the two files of it from ``ort/`` beside it
or, if they are not there, from a public copy; both only with the bytes whose hashes stand here.
"""

import html
import json
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Any

from snac_common.files import write_text
from snac_model.codec.snac import SNAC
from snac_model.export.onnx_files import ENCODER, OnnxReport, base_decoder_name, decoder_name
from snac_model.export.run import Run
from snac_model.shapes.geometry import Geometry
from snac_model.shapes.pieces import PiecePlan

PAGE = "try.html"
SEED = 1  # of the noise
LONGEST_SECONDS = 60
PIECE_SECONDS = 4.0  # of audio that is decoded at a time

CDN = "https://cdn.jsdelivr.net"


@dataclass(frozen=True)
class Runtime:
    """onnxruntime-web: which version, and its files with the hashes that a browser checks."""

    version: str
    files: dict[str, str]

    def settings(self) -> dict[str, Any]:
        """Return what the page is told: where to look for which files."""
        public = f"{CDN}/npm/onnxruntime-web@{self.version}/dist/"
        files = [{"name": name, "integrity": sha384} for name, sha384 in self.files.items()]
        return {"version": self.version, "places": ["ort/", public], "files": files}


RUNTIME = Runtime(
    "1.30.0",
    {
        "ort.wasm.bundle.min.mjs": "sha384-"
        "PLWz+nHEVHpjwBsO0YVdvQj6n5814Iv8E3b8FG0Rp/uIAtjFMCKOpP66iPzedrIG",
        "ort-wasm-simd-threaded.wasm": "sha384-"
        "vjBJ1z7qrhkTyYsNqKeF6c7N+nOJSU94czEo+tvZcu8G75JparGq9kB+kTnEUNVM",
    },
)


def write_page(run: Run, model: SNAC, base: SNAC | None, report: OnnxReport, folder: Path) -> None:
    """Write ``try.html`` beside the folder of ONNX files that a report tells of."""
    settings = {
        "runtime": RUNTIME.settings(),
        "codec": _codec(model),
        "decoders": _decoders(run, model, base, report),
        "seed": SEED,
        "longest": LONGEST_SECONDS,
    }
    texts = {
        "name": html.escape(run.name),
        "seed": str(SEED),
        "longest": str(LONGEST_SECONDS),
        "cdn": CDN,
        "settings": json.dumps(settings).replace("<", "\\u003c"),
        "style": _template("try.css"),
        "worker": _template("try_worker.js"),
        "page": _template("try_page.js"),
    }
    pieces = _template("try.html").split("@")  # text and names by turns
    filled = [texts[piece] if index % 2 else piece for index, piece in enumerate(pieces)]
    write_text(folder / PAGE, "".join(filled))


def _template(name: str) -> str:
    return files("snac_model.export").joinpath("templates", name).read_text(encoding="utf-8")


def _codec(model: SNAC) -> dict[str, Any]:
    """Say how audio and codes are cut into pieces with the context that each depends on."""
    geometry = model.geometry
    plan = PiecePlan.of(geometry)
    unit = geometry.unit_frames
    bounded = geometry.decoder_context is not None
    return {
        "sampleRate": geometry.sample_rate,
        "levels": geometry.levels,
        "codebookSize": model.config.codebook_size,
        "encoder": f"onnx/{ENCODER}",
        "encoding": {
            "unitSamples": geometry.padded_samples(1),
            "unitTokens": list(geometry.encoded_tokens(1)),
            "pieceUnits": plan.frames // unit,
            "contextUnits": plan.context // unit,
        },
        "decoding": {
            "tokens": list(geometry.tokens_per_coarse),
            "pieceTokens": geometry.coarse_tokens(PIECE_SECONDS),
            "contextTokens": geometry.context_tokens if bounded else None,
            "secondsPerToken": geometry.seconds(1),
        },
    }


def _decoders(run: Run, model: SNAC, base: SNAC | None, report: OnnxReport) -> list[dict[str, Any]]:
    """Describe the decoders, the base's first."""
    lengths, highest = report.noise_lengths, max(model.geometry.output_rates)
    found = []
    starting = [base.geometry] if base else []
    for geometry, rate in [(one, rate) for one in starting for rate in one.output_rates]:
        same = f"; resampled to {highest / 1000:g} kHz it sounds the same" if rate < highest else ""
        note = f"The model before fine-tuning{same}"
        labels = {"label": _label("base", rate), "note": note}
        found.append(_decoder(base_decoder_name(rate), rate, geometry, lengths) | labels)
    for rate in model.geometry.output_rates:
        labels = {"label": _label(run.name, rate), "note": "The model after fine-tuning"}
        found.append(_decoder(decoder_name(rate), rate, model.geometry, lengths) | labels)
    return found


def _label(name: str, rate: int) -> str:
    return f"{name}, {rate / 1000:g} kHz"


def _decoder(
    file: str, rate: int, geometry: Geometry, noise_lengths: dict[str, dict[str, int]]
) -> dict[str, Any]:
    return {
        "file": f"onnx/{file}",
        "rate": rate,
        "samplesPerToken": geometry.coarse_samples(rate),
        "noise": noise_lengths[file],
    }
