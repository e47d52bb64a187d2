"""Having torch compile what a decoder spends its time in."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch._dynamo import exc

from snac_common.errors import Failure
from snac_model.codec.snac import SNAC
from snac_model.decoders.fourier.layers import ConvNeXtBlock
from snac_model.layers.convolutions import NoiseBlock, ResidualUnit

# All residual units share one piece of code, and each is compiled for its channels and for every
# mode (with and without gradients, frozen or not) and kind of length: far more often than the 8
# times after which torch would run the rest as plain Python, without a word.
MOST_GRAPHS_OF_ONE_CODE = 1024


def compile_decoder(model: SNAC) -> None:
    """Compile residual units, noise blocks and ConvNeXt blocks in place; weights keep their names.

    What cannot be compiled any more raises ``FailOnRecompileLimitHit``: nothing that is to be
    compiled runs otherwise.
    """
    torch._dynamo.config.recompile_limit = MOST_GRAPHS_OF_ONE_CODE
    torch._dynamo.config.accumulated_recompile_limit = MOST_GRAPHS_OF_ONE_CODE
    torch._dynamo.config.fail_on_recompile_limit_hit = True
    for module in model.modules():
        if isinstance(module, ResidualUnit | NoiseBlock | ConvNeXtBlock):
            module.compile()


@contextmanager
def say_what_cannot_be_compiled() -> Iterator[None]:
    """Turn torch's errors of compilation within into a Failure that says what to do."""
    try:
        yield
    except (exc.TorchDynamoException, exc.FailOnRecompileLimitHit) as error:
        first_line = str(error).strip().partition("\n")[0]
        raise Failure(
            f"model.compile=true, but torch cannot compile the decoder: {first_line}. Train "
            "without: --set model.compile=false."
        ) from error


def graphs_compiled() -> int:
    """Return how many graphs torch has compiled in this process."""
    return int(torch._dynamo.utils.counters["stats"]["unique_graphs"])
