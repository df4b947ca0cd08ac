"""The architecture in a checkpoint, beside its weights."""

from typing import Any, Protocol

from ckpttool.checkpoint import Producer
from ckpttool.io.facts import Facts
from ckpttool.model.config import Architecture, read_architecture

_FACT = "architecture"


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
    return checkpoint.facts.once(_FACT, read_architecture, checkpoint.config, version)


def share_architecture(known: Architecture | None, checkpoint: Configured) -> None:
    """Have a checkpoint share a known architecture, with all that was worked out of it, if that is the one in its
    config: read from the same values, written by the same version of Keras."""
    if known is None or known.version != checkpoint.producer.keras_version:
        return
    one, other = known.config, checkpoint.config
    if one is other or repr(one) == repr(other):  # as texts, since 1, 1.0 and True are equal
        checkpoint.facts.once(_FACT, lambda: known)
