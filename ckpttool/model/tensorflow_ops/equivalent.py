"""One call of a TensorFlow function as the operations and layers of Keras 3 that compute the same."""

import inspect
from dataclasses import dataclass
from typing import Any

from ckpttool.model.arguments import Args
from ckpttool.model.graph import Call
from ckpttool.model.tensorflow_ops.emitter import Emitter, Node, NoEquivalent, Result
from ckpttool.model.tensorflow_ops.recorded_calls import arguments_of, function_of
from ckpttool.model.tensorflow_ops.table import FUNCTIONS


@dataclass(frozen=True, slots=True)
class Equivalent:
    """The nodes that stand for one call of a function, and its result: an output of one of them, sizes of a shape, or
    one of its inputs. `guesses` are the assumptions that they rest on."""

    function: str
    nodes: tuple[Node, ...]
    result: Result
    guesses: tuple[str, ...]


def equivalent(args: Args, call: Call) -> Equivalent:
    """The equivalent of one call. Raises NoEquivalent."""
    name, positional, named = arguments_of(args, call)
    if name not in FUNCTIONS:
        raise NoEquivalent("no operation of Keras 3 computes it")
    emitter = Emitter()
    result = _call_function(name, emitter, positional, named)
    return Equivalent(name, tuple(emitter.nodes), result, tuple(dict.fromkeys(emitter.guesses)))


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


def title(args: Args) -> str:
    """The name of the function that a layer calls, else the class of the layer."""
    try:
        return function_of(args)
    except NoEquivalent:
        return args.class_name
