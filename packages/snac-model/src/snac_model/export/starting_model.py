"""The model that a run started from, to be heard beside what came of it."""

from snac_common.console import note
from snac_common.errors import Failure
from snac_model.codec.loading import load
from snac_model.codec.snac import SNAC
from snac_model.codec.weights import weights_sha256
from snac_model.export.run import Run


def starting_model(run: Run, model: SNAC) -> SNAC | None:
    """Return the base of a run; None, which is said, if it is not there or has other tokens.

    Args:
        run: whose base is wanted.
        model: what the run made of it.
    """
    where = run.state["base"]
    try:
        base = load(where)
    except Failure as failure:
        _say_without(f"it cannot be loaded ({failure})")
        return None
    if weights_sha256([base]) != run.state["base_sha256"]:
        _say_without(f"{where} holds other weights than those that the run started from")
        return None
    if weights_sha256(base.tokenizer_modules()) != weights_sha256(model.tokenizer_modules()):
        _say_without("the run trained encoder or quantizer too, so its tokens are others")
        return None
    return base


def _say_without(why: str) -> None:
    note(f"the page has no base to compare with: {why}")
