"""TensorFlow functions in the graph of a model of Keras 2 as operations of Keras 3."""

import inspect
from typing import Any

from ckpttool.conversion.journal import Edit, Journal
from ckpttool.conversion.tensorflow_ops.dtypes import result_dtypes
from ckpttool.conversion.tensorflow_ops.emitter import Emitter, Inner, Node, NoEquivalent, Result, Sizes
from ckpttool.conversion.tensorflow_ops.recorded_calls import CLASSES, arguments_of, function_of
from ckpttool.conversion.tensorflow_ops.table import FUNCTIONS
from ckpttool.model.arguments import Args
from ckpttool.model.graph import Call

REPLACE_OPERATION = Edit(
    "replace-operation",
    "replaces a TensorFlow function by operations of keras.ops",
    "for the functions and arguments that are listed; the others are refused by name",
)
EDITS = (REPLACE_OPERATION,)

__all__ = ["CLASSES", "EDITS", "FUNCTIONS", "Inner", "Node", "Result", "Sizes", "result_dtypes", "rewritten"]


def rewritten(args: Args, call: Call, where: str, journal: Journal) -> tuple[tuple[Node, ...], Result] | None:
    """The nodes that replace one call of a TensorFlow function, and its result: an output of one of them, sizes of a
    shape, or one of its inputs. None where it has no exact equivalent, which is then refused.
    """
    try:
        name, positional, named = arguments_of(args, call)
        if name not in FUNCTIONS:
            raise NoEquivalent("no operation of Keras 3 computes it")
        emitter = Emitter()
        result = _call_function(name, emitter, positional, named)
    except NoEquivalent as problem:
        journal.refuse(where, f"TensorFlow's {_title(args)}: {problem}")
        return None
    for guess in dict.fromkeys(emitter.guesses):
        journal.guess(where, f"TensorFlow's {name} {guess}")
    places = ", ".join(dict.fromkeys(node.class_name for node in emitter.nodes))
    journal.edit(REPLACE_OPERATION, where, f"{name} by {places or 'its known value'}")
    return tuple(emitter.nodes), result


def _call_function(name: str, emitter: Emitter, positional: tuple[Any, ...], named: dict[str, Any]) -> Result:
    function = FUNCTIONS[name]
    try:
        inspect.signature(function).bind(emitter, *positional, **named)
    except TypeError as error:
        raise NoEquivalent(f"arguments that are not known: {error}") from None
    try:
        return function(emitter, *positional, **named)
    except (TypeError, ValueError, KeyError, AttributeError, IndexError) as error:  # a stranger's arguments
        raise NoEquivalent(f"arguments that make no sense: {error}") from None


def _title(args: Args) -> str:
    try:
        return function_of(args)
    except NoEquivalent:
        return args.class_name
