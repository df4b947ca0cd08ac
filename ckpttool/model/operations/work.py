"""The work of one call of an operation of `keras.ops`, as far as the kind of the operation says it."""

from ckpttool.model.graph import Call
from ckpttool.model.layers.work import SOFTMAX, Work, counted, elements
from ckpttool.model.operations.creation import CREATION
from ckpttool.model.operations.elementwise import ELEMENTWISE
from ckpttool.model.operations.index_functions import INDEXING
from ckpttool.model.operations.joins import JOINS
from ckpttool.model.operations.manipulation import MANIPULATION
from ckpttool.model.operations.reductions import REDUCTIONS
from ckpttool.model.output_rule import Outputs
from ckpttool.model.sizes import times

_MOVES = frozenset(
    {*CREATION, *INDEXING, *JOINS, *MANIPULATION, "Cast", "Copy", "Flip", "Fliplr", "Flipud", "FullLike"}
    | {"Identity", "OnesLike", "Roll", "StopGradient", "ZerosLike"}
)
_SOFTMAXES = frozenset({"Softmax", "LogSoftmax"})
_MATRIX_PRODUCTS = frozenset({"Matmul"})


def work_of_operation(class_name: str, call: Call, outputs: Outputs) -> Work | None:
    """The work of an operation; None for one of another kind: convolutions, transforms, linear algebra and the like."""
    count = elements(outputs[0]) if outputs else None
    if class_name in _MOVES:
        return Work()
    if class_name in ELEMENTWISE:
        return counted(other=times(count, SOFTMAX if class_name in _SOFTMAXES else 1))
    inputs = call.inputs
    if not inputs or inputs[0] is None:
        return None
    if class_name in REDUCTIONS:
        return counted(other=elements(inputs[0]))
    if class_name in _MATRIX_PRODUCTS and inputs[0]:
        return counted(times(count, inputs[0][-1]))
    return None
