"""First steps of optimizers that Keras of many backends took on TensorFlow 1.

Such an optimizer reads the number of its step and counts it in one run of the graph, and nothing says which comes first
(`Adam.get_updates`, keras/optimizers.py, 2.2.4): what it divides by belongs to this step or to the next. Measured with
2.2.4 on TensorFlow 1.15, where the first step of Adam is 0.744 or 1 times the learning rate, as the model is. It does
not matter any more after some thousand steps.
"""

from collections.abc import Mapping
from typing import Any

from ckpttool.checkpoint import Checkpoint, Section
from ckpttool.conversion.compile.optimizer_scalars import StateNotConvertible, inside, whole_steps
from ckpttool.conversion.compile.stored_state import WHERE
from ckpttool.conversion.journal import Journal
from ckpttool.conversion.origin import Origin

_DIVIDING = frozenset({"Adam", "Adamax", "Nadam"})
_LATE = 10_000
_IN_TURN = (2, 3)


def note(checkpoint: Checkpoint, optimizer: Mapping[str, Any], origin: Origin, journal: Journal) -> None:
    """Note that the next steps of a compiled model may be of another size, while they still depend on their number."""
    class_name = inside(optimizer)["class_name"]
    if class_name not in _DIVIDING or origin.theano or not origin.of_many_backends or not origin.before(*_IN_TURN):
        return
    if _steps(checkpoint) < _LATE:
        journal.lose(
            WHERE,
            f"the first steps of {class_name}: older ones on TensorFlow 1 counted a step before or after they took it, "
            "by chance, and took it smaller or larger by up to a half; Keras 3 counts it first",
        )


def _steps(checkpoint: Checkpoint) -> int:
    """The number of steps that were taken, 0 where it is not stored."""
    state = checkpoint.section(Section.OPTIMIZER)
    try:
        return whole_steps(state[0]) if state and state[0].shape == () else 0
    except StateNotConvertible:
        return 0
