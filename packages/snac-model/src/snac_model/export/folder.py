"""Writing the folder: all of it, checked, or nothing."""

import copy
from dataclasses import dataclass
from pathlib import Path

import torch

from snac_common.console import note
from snac_common.errors import BadInput, Failure
from snac_common.files import atomic_folder, clear_leftovers
from snac_model.codec.dual_head import DualHeadSNAC
from snac_model.codec.loading import load
from snac_model.codec.snac import SNAC
from snac_model.codec.weights import save, save_officially
from snac_model.discriminators import load_discriminators, save_discriminators
from snac_model.export import half as half_weights
from snac_model.export.card import CardFacts, write_card
from snac_model.export.existing import is_export
from snac_model.export.onnx_files import OnnxReport, check_onnx_installed, random_codes, write_onnx
from snac_model.export.run import Run
from snac_model.export.starting_model import starting_model
from snac_model.export.try_page import write_page
from snac_model.layers.noise import SeededNoise

DUAL_HEAD, ONNX, DISCRIMINATORS = "dual_head", "onnx", "discriminators"
COMPARED = ((1, 1), (2, 4))  # batch size and coarse tokens


@dataclass(frozen=True)
class ExportRequest:
    """What an export is to hold.

    Attributes:
        folder: where it goes.
        overwrite: replace an export that is there.
        onnx: write ONNX files too.
        page: with ONNX, write a page that runs them in a browser.
        noise: whether their decoders take noise as an input; else they have none.
        half: store the decoder's weights as float16.
        discriminators: add those that the model was trained with.
        licence: the model's, an identifier that the Hub knows; None leaves it to be filled in.
        repository: on the Hub, for the card.
    """

    folder: Path
    overwrite: bool
    onnx: bool
    page: bool
    noise: bool
    half: bool
    discriminators: bool
    licence: str | None
    repository: str | None


def export(run: Run, request: ExportRequest, mixed: SNAC | None = None) -> OnnxReport | None:
    """Write a run's model into a folder and check what was written; return what ONNX's check saw.

    Args:
        mixed: the model in place of the run's own, where several are mixed.

    Raises:
        BadInput: if the folder may not be written to, or ONNX's packages are not installed.
        Failure: if there are no discriminators to export, or a file does not give what the run's
            model gives; nothing is left then.
    """
    clear_leftovers(request.folder.parent)
    check_target(request)
    if request.onnx:
        check_onnx_installed()
    model = load(run.model) if mixed is None else mixed
    discriminators = load_discriminators(run.model) if request.discriminators else None
    with atomic_folder(request.folder) as folder:
        write_models(model, folder, half=request.half)
        if discriminators:
            save_discriminators(discriminators, folder / DISCRIMINATORS)
        report = _write_onnx(run, model, request, folder) if request.onnx else None
        facts = CardFacts(
            request.repository,
            request.licence,
            request.half,
            report,
            page=request.onnx and request.page,
            discriminators=discriminators.config if discriminators else None,
        )
        write_card(run, model, facts, folder)
    return report


def _write_onnx(run: Run, model: SNAC, request: ExportRequest, folder: Path) -> OnnxReport:
    """Write the ONNX files, and the page that runs them."""
    base = starting_model(run, model) if request.page else None
    note("writing ONNX, and comparing it with torch")
    folded = copy.deepcopy(model).fold_weight_norm()
    base = base and base.fold_weight_norm()
    report = write_onnx(folded, folder / ONNX, noise=request.noise, half=request.half, base=base)
    if request.page:
        write_page(run, model, base, report, folder)
    return report


def check_target(request: ExportRequest) -> None:
    """Raise BadInput if the folder holds something that is not to be replaced."""
    folder = request.folder
    if not folder.exists() or (folder.is_dir() and not any(folder.iterdir())):
        return
    if not request.overwrite:
        raise BadInput(
            f"{folder} is there already. --push USER/NAME uploads it as it is; --overwrite "
            "replaces it; another -o leaves it alone."
        )
    if not is_export(folder):
        raise BadInput(f"{folder} holds no export, so --overwrite leaves it alone: give another -o")


def write_models(model: SNAC, folder: Path, *, half: bool) -> None:
    """Write the codec for the official package, and a dual head beside it; check both.

    A decoder that the official package does not have is written for ``snac_model`` alone.
    """
    stored = half_weights.half_decoder if half else lambda model: model
    if model.config.decoder_kind != "snac":
        note(
            f"the official package has no {model.config.decoder_kind} decoder: writing safetensors"
        )
        save(stored(model), folder)
        _check(model, folder, half)
        return
    single = model.single_head() if isinstance(model, DualHeadSNAC) else model
    save_officially(stored(single), folder)
    _check(model, folder, half)
    if isinstance(model, DualHeadSNAC):
        save(stored(model), folder / DUAL_HEAD)
        _check(model, folder / DUAL_HEAD, half)


@torch.inference_mode()
def _check(model: SNAC, folder: Path, half: bool) -> None:
    """Raise Failure unless what was written decodes as the model does: bit for bit, unless half."""
    written = load(folder)
    tolerance = half_weights.TOLERANCE if half else 0.0
    for batch, tokens in COMPARED:
        codes = random_codes(model, batch, tokens)
        expected = model.decode_by_rate(codes, SeededNoise(0))
        for rate, audio in written.decode_by_rate(codes, SeededNoise(0)).items():
            error = float((audio - expected[rate]).abs().max())
            if not error <= tolerance:  # NaN is not either
                raise Failure(
                    f"what was written for {rate} Hz decodes up to {error:.2g} from the run's "
                    f"model, more than {tolerance:g}. Nothing was exported."
                )
