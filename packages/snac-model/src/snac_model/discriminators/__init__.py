"""Discriminators: networks that learn to tell a decoder's output from real audio."""

from snac_model.discriminators.config import DiscriminatorConfig
from snac_model.discriminators.files import (
    load_discriminators,
    remove_discriminators,
    save_discriminators,
)
from snac_model.discriminators.sets import Discriminators

__all__ = [
    "DiscriminatorConfig",
    "Discriminators",
    "load_discriminators",
    "remove_discriminators",
    "save_discriminators",
]
