"""The support for an architecture: the generation of Keras that wrote it, and whether Keras 3.15 builds it."""

from collections.abc import Mapping
from typing import Any, NamedTuple

from ckpttool.checkpoint import Checkpoint
from ckpttool.escape import brief
from ckpttool.model import Architecture
from ckpttool.model.buildability import (
    Buildability,
    Obstacle,
    buildability_of,
    buildability_of_json,
    buildability_of_keras,
)
from ckpttool.model.generations.generation import Generation, generation_of


class Support(NamedTuple):
    """The generation of Keras that wrote an architecture, and whether Keras 3.15 builds it."""

    writer: Generation
    buildability: Buildability

    def __repr__(self) -> str:
        return brief(self)

    @property
    def obstacles(self) -> tuple[Obstacle, ...]:
        """The reasons why Keras 3 does not build the architecture, or builds another one; empty otherwise."""
        return self.buildability.obstacles or self.buildability.misread

    @property
    def by_keras_3(self) -> bool:
        """Whether Keras 3 wrote the architecture."""
        return self.writer is Generation.KERAS_3

    @property
    def by_writer_alone(self) -> bool:
        """Whether Keras 3 does not build the architecture, so that only the Keras that wrote it does."""
        return bool(self.obstacles) and not self.by_keras_3


def support_of(architecture: Checkpoint | Architecture) -> Support | None:
    """The support for an architecture; None where there is no config to build it from: for weights alone and for a live
    model."""
    if isinstance(architecture, Checkpoint):
        return _of_checkpoint(architecture)
    return support_of_config(architecture.config) if architecture.part is None else None


def _of_checkpoint(checkpoint: Checkpoint) -> Support | None:
    buildability = buildability_of(checkpoint)
    if buildability is None:
        return None
    return Support(generation_of(checkpoint.config, checkpoint.producer.keras_version), buildability)


def support_of_config(config: Any) -> Support:
    """The support for the architecture in a config, of a file in JSON or YAML or of a `.keras`."""
    compiled = isinstance(config, Mapping) and "compile_config" in config  # as a `.keras` has it
    return Support(generation_of(config), (buildability_of_keras if compiled else buildability_of_json)(config))
