"""Architectures of configs that do not tell who wrote them."""

from dataclasses import replace
from typing import Any

from ckpttool.model import Architecture, read_architecture
from ckpttool.model.generations.generation import Generation


def of_generation(config: Any, generation: Generation) -> Architecture:
    """The architecture that a config describes which a Keras of this generation wrote."""
    architecture = read_architecture(config)
    assert architecture is not None
    return replace(architecture, version=str(generation.value))
