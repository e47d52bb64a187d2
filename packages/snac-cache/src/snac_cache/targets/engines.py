"""What makes 48 kHz audio of sources below it: plain resampling, Sidon, or somebody before us."""

from snac_cache.targets.choice import SIDON, EngineChoice
from snac_cache.targets.sidon_batches import SidonBatches


def load_engine(choice: EngineChoice, device: str) -> SidonBatches | None:
    """Load the engine that was asked for, never another one; None needs no model.

    Raises:
        Failure: if it cannot be had; says why, and what can be done.
    """
    if choice.name != SIDON:
        return None
    from snac_cache.targets.sidon_files import load_sidon

    return SidonBatches(load_sidon(choice, device), choice.batch_seconds)
