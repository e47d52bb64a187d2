"""Weights as float16: half the size, computed with in float32.

Encoder and quantizer stay as they are: rounding them would change the codes.
"""

import copy
from pathlib import Path

from snac_model.codec.snac import SNAC

TOLERANCE = 1e-2  # of audio, full scale 1, against the float32 weights; 0.001 is usual


def half_decoder(model: SNAC) -> SNAC:
    """Return a copy whose decoder has float16 weights, to be saved."""
    rounded = copy.deepcopy(model)
    for group in rounded.synthesizer.parameter_groups().values():
        for weight in group:
            weight.data = weight.data.half()
    return rounded


def store_as_half(path: Path) -> None:
    """Store the float32 weights of an ONNX file as float16, each cast when the graph is opened."""
    import onnx
    from onnx import TensorProto, helper, numpy_helper

    model = onnx.load(path)
    casts = []
    for weight in model.graph.initializer:
        of_decoder = "quantizer" not in weight.name.split(".")
        if of_decoder and weight.data_type == TensorProto.FLOAT and weight.dims:
            name, stored = weight.name, f"{weight.name}.float16"
            rounded = numpy_helper.to_array(weight).astype("float16")
            weight.CopyFrom(numpy_helper.from_array(rounded, stored))
            casts.append(helper.make_node("Cast", [stored], [name], to=TensorProto.FLOAT))
    nodes = [*casts, *model.graph.node]
    del model.graph.node[:]
    model.graph.node.extend(nodes)
    onnx.save(model, path)
