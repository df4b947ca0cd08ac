"""TensorFlow functions in the graph of a model of Keras 2 as operations of Keras 3."""

from ckpttool.conversion.journal import Edit, Journal
from ckpttool.model.arguments import Args
from ckpttool.model.graph import Call
from ckpttool.model.tensorflow_ops.dtypes import result_dtypes
from ckpttool.model.tensorflow_ops.emitter import Inner, Node, NoEquivalent, Number, Result, Sizes
from ckpttool.model.tensorflow_ops.equivalent import equivalent, title
from ckpttool.model.tensorflow_ops.recorded_calls import CLASSES
from ckpttool.model.tensorflow_ops.table import FUNCTIONS

REPLACE_OPERATION = Edit(
    "replace-operation",
    "replaces a TensorFlow function by operations of keras.ops",
    "for the functions and arguments that are listed; the others are refused by name",
)
EDITS = (REPLACE_OPERATION,)

__all__ = ["CLASSES", "EDITS", "FUNCTIONS", "Inner", "Node", "Number", "Result", "Sizes", "result_dtypes", "rewritten"]


def rewritten(args: Args, call: Call, where: str, journal: Journal) -> tuple[tuple[Node, ...], Result] | None:
    """The nodes that replace one call of a TensorFlow function, and its result: an output of one of them, sizes of a
    shape, or one of its inputs. None where it has no exact equivalent, which is then refused.
    """
    try:
        replacement = equivalent(args, call)
    except NoEquivalent as problem:
        journal.refuse(where, f"TensorFlow's {title(args)}: {problem}")
        return None
    for guess in replacement.guesses:
        journal.guess(where, f"TensorFlow's {replacement.function} {guess}")
    places = ", ".join(dict.fromkeys(node.class_name for node in replacement.nodes))
    journal.edit(REPLACE_OPERATION, where, f"{replacement.function} by {places or 'its known value'}")
    return replacement.nodes, replacement.result
