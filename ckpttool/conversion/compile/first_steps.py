"""First steps of optimizers that older Kerases took otherwise.

An optimizer of Keras of many backends on TensorFlow 1 reads the number of its step and counts it in one run of the
graph, and nothing says which comes first (`Adam.get_updates`, keras/optimizers.py, 2.2.4): what it divides by belongs
to this step or to the next. Measured with 2.2.4 on TensorFlow 1.15, where the first step of Adam is 0.744 or 1 times
the learning rate, as the model is. It does not matter any more after some thousand steps.

By chance, too, gradients are computed there with weights of the layers behind that the same step has changed already:
steps of one model from the same weights differ, by up to 0.004 in six Dense layers at a learning rate of 0.05.

Moving averages of weights begin with the weights in Keras 2.11 to 2.15 (`Optimizer.build`,
keras/src/optimizers/optimizer.py, 2.15). In Keras 3 they begin with what the first step makes of them
(`_update_model_variables_moving_average`, keras/src/optimizers/base_optimizer.py, 3.15).
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
    inner, steps = inside(optimizer), _steps(checkpoint)
    if inner["config"].get("use_ema") and not steps:
        journal.lose(
            WHERE,
            "the moving averages of the weights: Keras 2 began them with the weights before the first step, Keras 3 "
            "begins them with those after it",
        )
    class_name = inner["class_name"]
    if class_name not in _DIVIDING or origin.theano or not origin.of_many_backends or not origin.before(*_IN_TURN):
        return
    if steps < _LATE:
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
