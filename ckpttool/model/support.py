"""Which Keras builds an architecture: the generation that wrote it, and whether Keras 3.15 does."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ckpttool.checkpoint import Checkpoint
from ckpttool.model import Architecture
from ckpttool.model.buildability import (
    Buildability,
    Obstacle,
    buildability_of,
    buildability_of_json,
    buildability_of_keras,
)
from ckpttool.model.generations.generation import Generation, generation_of


@dataclass(frozen=True, slots=True)
class Support:
    """The generation of Keras that wrote an architecture, and what Keras 3.15 makes of it."""

    writer: Generation
    buildability: Buildability

    @property
    def obstacles(self) -> tuple[Obstacle, ...]:
        """Why Keras 3 does not build it."""
        return self.buildability.obstacles

    @property
    def by_keras_3(self) -> bool:
        """Whether Keras 3 wrote it."""
        return self.writer is Generation.KERAS_3

    @property
    def by_writer_alone(self) -> bool:
        """Whether the Keras that wrote it builds it, and Keras 3 does not."""
        return bool(self.obstacles) and not self.by_keras_3


def support_of(architecture: Checkpoint | Architecture) -> Support | None:
    """Which Keras builds an architecture; None where there is no config that it would be built of: of weights alone, of
    a live model."""
    if isinstance(architecture, Checkpoint):
        return _of_checkpoint(architecture)
    return support_of_config(architecture.config) if architecture.part is None else None


def _of_checkpoint(checkpoint: Checkpoint) -> Support | None:
    buildability = buildability_of(checkpoint)
    if buildability is None:
        return None
    return Support(generation_of(checkpoint.config, checkpoint.producer.keras_version), buildability)


def support_of_config(config: Any) -> Support:
    """Which Keras builds the architecture that a config describes, of a file in JSON or YAML or of a `.keras`."""
    compiled = isinstance(config, Mapping) and "compile_config" in config  # as a `.keras` has it
    return Support(generation_of(config), (buildability_of_keras if compiled else buildability_of_json)(config))
