"""The card's examples: how to load what was exported."""

from snac_model.export.onnx_files import ENCODER, OnnxReport, decoder_name
from snac_model.shapes.geometry import Geometry

OFFICIAL = """With the official package, `pip install snac`, at {rate} Hz:

```python
import torch
from snac import SNAC

model = SNAC.from_pretrained("{repository}")
with torch.inference_mode():
    codes = model.encode(torch.zeros(1, 1, {second}))  # [B, 1, T] at {second} Hz
    audio = model.decode(codes)  # [B, 1, T] at {rate} Hz
```"""

NOT_OFFICIAL = "The official package `snac` cannot load it"

OURS = (
    NOT_OFFICIAL
    + """: it has no {kind} decoder. `snac_model` does, at {rates} Hz, and its commands take
the name too:

```python
import torch
import snac_model

model = snac_model.load("{repository}")
with torch.inference_mode():
    codes = model.encode(torch.zeros(1, 1, {second}))  # [B, 1, T] at {second} Hz
    outputs = model.decode_by_rate(codes)  # [B, 1, T] under each rate in Hz
```"""
)

DUAL_HEAD = """At {rates} Hz, with `snac_model`, whose commands take the name too:

```python
import snac_model

dual = snac_model.load("{repository}/dual_head")
with torch.inference_mode():
    outputs = dual.decode_by_rate(codes)  # [B, 1, T] under each rate in Hz
```"""

ONNX = """As ONNX, after `hf download {repository} --local-dir .`; batch size and length are free:

```python
import numpy as np
import onnxruntime

encoder = onnxruntime.InferenceSession("onnx/{encoder}")
codes = encoder.run(None, {{"audio": np.zeros((1, 1, {second}), np.float32)}})
inputs = {{f"codes_{{level}}": tokens for level, tokens in enumerate(codes)}}
{noise}decoder = onnxruntime.InferenceSession("onnx/{decoder}")
(audio,) = decoder.run(None, inputs)  # [B, 1, T] at {rate} Hz, whole coarse tokens long
```

{checked}"""

NOISE = """lengths = {lengths}  # for a coarse token
for name, length in lengths.items():  # fresh noise, as torch's decoder draws it; or zeros
    shape = (len(codes[0]), 1, codes[0].shape[1] * length)
    inputs[name] = np.random.standard_normal(shape).astype(np.float32)
"""


def usage(
    geometry: Geometry, repository: str, onnx: OnnxReport | None, decoder_kind: str = "snac"
) -> list[str]:
    """Return the examples, each with a sentence before it."""
    rates = geometry.output_rates
    common = {"repository": repository, "second": geometry.sample_rate}
    named = " and ".join(map(str, rates))
    if decoder_kind != "snac":
        examples = [OURS.format(**common, rates=named, kind=decoder_kind)]
    else:
        examples = [OFFICIAL.format(**common, rate=rates[0])]
        if len(rates) > 1:
            examples.append(DUAL_HEAD.format(**common, rates=named))
    if onnx:
        examples.append(_onnx(rates[-1], onnx, common))
    return examples


def _onnx(rate: int, onnx: OnnxReport, common: dict[str, object]) -> str:
    decoder = decoder_name(rate)
    lengths = onnx.noise_lengths[decoder]
    errors = ", ".join(f"`{name}` {error:.1g}" for name, error in onnx.largest_error.items())
    return ONNX.format(
        **common,
        rate=rate,
        encoder=ENCODER,
        decoder=decoder,
        noise=NOISE.format(lengths=lengths) if lengths else "",
        checked=(
            f"Compared with torch at several lengths and batch sizes: {onnx.equal_tokens:.2%} of "
            f"the tokens are equal; largest error of the audio (full scale 1): {errors}."
        ),
    )
