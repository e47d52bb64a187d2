"""Having torch compile what a decoder spends its time in."""

from snac_model.codec import SNAC
from snac_model.layers import NoiseBlock, ResidualUnit


def compile_decoder(model: SNAC) -> None:
    """Compile the residual units and noise blocks in place; weights keep their names.

    Whole blocks are left alone: the noise's seeds differ from batch to batch, and every new seed
    would be compiled anew.
    """
    for module in model.modules():
        if isinstance(module, ResidualUnit | NoiseBlock):
            module.compile()
