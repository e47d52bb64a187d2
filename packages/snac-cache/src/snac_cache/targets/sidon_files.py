"""Where Sidon's files come from, and what to tell a person who does not have them."""

from typing import Any

import torch

from snac_cache.targets.choice import EngineChoice
from snac_cache.targets.sidon import Sidon
from snac_common.errors import Failure

REPOSITORY = "sarulab-speech/sidon-v0.1"
FEATURE_EXTRACTOR, DECODER = "feature_extractor_cuda.pt", "decoder_cuda.pt"
OPTIONS = f"""What can be done:
  - make the targets on a machine with a GPU and the network; the files come from {REPOSITORY}
  - give the files, those for the GPU or those for the CPU: --sidon-feature-extractor FILE
    --sidon-decoder FILE, and --sidon-preprocessor DIR for the folder with preprocessor_config.json
  - if a library is missing: tools/setup.sh installs it in a checkout of the project; elsewhere,
    pip install 'transformers>=5.0'
  - --engine resample: plain resampling, which adds nothing above the source's band"""


def load_sidon(choice: EngineChoice, device: str) -> Sidon:
    """Load Sidon from the files that were given, else from the Hub.

    Raises:
        Failure: with the exact error and the options, if anything is missing.
    """
    try:
        halves = [_load_half(path, device) for path in _find_halves(choice, device)]
        return Sidon(_load_preprocessor(choice.preprocessor), halves[0], halves[1], device)
    except (ImportError, OSError, RuntimeError, ValueError) as error:
        reason = f"{type(error).__name__}: {error}"
        raise Failure(f"Sidon cannot be had: {reason}\n{OPTIONS}") from error


def _find_halves(choice: EngineChoice, device: str) -> tuple[str, str]:
    """Return the files of the feature extractor and the decoder."""
    if choice.feature_extractor and choice.decoder:
        return choice.feature_extractor, choice.decoder
    if device == "cpu":
        raise RuntimeError(f"{REPOSITORY}'s {FEATURE_EXTRACTOR} and {DECODER} need a GPU")
    from huggingface_hub import hf_hub_download

    return (
        choice.feature_extractor or hf_hub_download(REPOSITORY, FEATURE_EXTRACTOR),
        choice.decoder or hf_hub_download(REPOSITORY, DECODER),
    )


def _load_half(path: str, device: str) -> torch.jit.ScriptModule:
    """Load TorchScript, whose archive holds code of its own language and no pickled objects."""
    module: torch.jit.ScriptModule = torch.jit.load(path, map_location=device).eval()
    return module


def _load_preprocessor(where: str) -> Any:
    from transformers import SeamlessM4TFeatureExtractor

    return SeamlessM4TFeatureExtractor.from_pretrained(where)
