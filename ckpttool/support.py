"""Which Keras builds an architecture: the generation that wrote it, and whether Keras 3.15 does."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ckpttool.architecture import Architecture
from ckpttool.architecture.buildability import (
    Buildability,
    Obstacle,
    buildability_of,
    buildability_of_json,
    buildability_of_keras,
)
from ckpttool.architecture.dialects import Generation, generation_of
from ckpttool.architecture.files import config_of_text
from ckpttool.architecture.spec import Spec
from ckpttool.checkpoint import Checkpoint
from ckpttool.formats import open_checkpoint
from ckpttool.loading import is_text


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
    def by_writer_alone(self) -> bool:
        """Whether the Keras that wrote it builds it, and Keras 3 does not."""
        return bool(self.obstacles) and self.writer is not Generation.KERAS_3


def support_of(architecture: Checkpoint | Spec | Architecture | str | os.PathLike[str]) -> Support | None:
    """Which Keras builds an architecture; None where there is no config that it would be built of: of a spec, of
    weights alone, of a live model. Raises CheckpointError where a file cannot be read."""
    if isinstance(architecture, Checkpoint):
        return _of_checkpoint(architecture)
    if isinstance(architecture, Architecture):
        return _of_config(architecture.config) if architecture.part is None else None
    if isinstance(architecture, Spec):
        return None
    if is_text(architecture) and not os.fspath(architecture).endswith(".weights.json"):
        config = config_of_text(architecture)
        return _of_config(config) if config is not None else None
    with open_checkpoint(architecture) as checkpoint:
        return _of_checkpoint(checkpoint)


def _of_checkpoint(checkpoint: Checkpoint) -> Support | None:
    buildability = buildability_of(checkpoint)
    if buildability is None:
        return None
    return Support(generation_of(checkpoint.config, checkpoint.producer.keras_version), buildability)


def _of_config(config: Any) -> Support:
    compiled = isinstance(config, Mapping) and "compile_config" in config  # as a `.keras` has it
    return Support(generation_of(config), (buildability_of_keras if compiled else buildability_of_json)(config))
