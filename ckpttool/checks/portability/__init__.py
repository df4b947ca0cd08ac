"""Which Keras loads a checkpoint, and what `ckpttool convert` would do about it.

Of a model in the words of Keras 3 there is nothing to say: code and own classes in it are told as a matter of safety.
"""

from collections.abc import Callable, Iterator

from ckpttool.architecture.dialects import Generation, generation_of
from ckpttool.checks.portability.rules import REFUSED, RULES
from ckpttool.checks.rule import Finding, Told
from ckpttool.checks.subject import Subject


def portability(subject: Subject) -> Iterator[Told]:
    """What stands between a model and Keras 3."""
    checkpoint, architecture = subject.checkpoint, subject.architecture
    if checkpoint is None:
        return
    if checkpoint.kind == "keras0-weights":
        yield Finding(REFUSED, "", "the layout of Keras 0.x, in which Keras 3 finds no layers")
    if architecture is None or not architecture.layers or subject.alignment_error is not None:
        return
    generation = generation_of(architecture.config, checkpoint.producer.keras_version)
    if generation is not Generation.KERAS_3:
        from ckpttool.checks.portability.plans import told  # converting is not needed for the files of today

        yield from told(checkpoint, architecture, generation)


CHECKS: tuple[Callable[[Subject], Iterator[Told]], ...] = (portability,)

__all__ = ["CHECKS", "RULES"]
