"""The architecture in a checkpoint, beside its weights."""

from typing import Any, Protocol

from ckpttool.checkpoint import Producer
from ckpttool.io.facts import Facts
from ckpttool.model.config import Architecture, read_architecture


class Configured(Protocol):
    """An object with the config of a model and its producer, such as a checkpoint."""

    @property
    def config(self) -> Any:
        """The config of the model, None where there are weights alone."""

    @property
    def producer(self) -> Producer:
        """The program that wrote it."""

    @property
    def facts(self) -> Facts:
        """The facts that were worked out of it."""


def architecture_of(checkpoint: Configured) -> Architecture | None:
    """The architecture in the config of a checkpoint, read once; None where it has none."""
    version = checkpoint.producer.keras_version
    return checkpoint.facts.once("architecture", read_architecture, checkpoint.config, version)
