"""The architecture that a checkpoint states beside its weights."""

from typing import Any, Protocol

from ckpttool.checkpoint import Producer
from ckpttool.io.facts import Facts
from ckpttool.model.config import Architecture, read_architecture


class Configured(Protocol):
    """What can state a model: a config, and who wrote it. A checkpoint is such a thing."""

    @property
    def config(self) -> Any:
        """The config of the model, None where there are weights alone."""

    @property
    def producer(self) -> Producer:
        """Who wrote it."""

    @property
    def facts(self) -> Facts:
        """What is known of it."""


def architecture_of(checkpoint: Configured) -> Architecture | None:
    """The architecture that a checkpoint states, read once; None where it states none."""
    version = checkpoint.producer.keras_version
    return checkpoint.facts.once("architecture", read_architecture, checkpoint.config, version)
