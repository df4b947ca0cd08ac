"""The functions with which Keras adapts a layer to data, in a SavedModel.

`Discretization` merges summaries of data with a function of NumPy, so that its step calls Python's (`merge_summaries`,
keras/src/layers/preprocessing/discretization.py, 2.15). TensorFlow stores the step as the attribute `_adapt_function`
of the layer. Loading, calling and training the model do not run it, only `adapt` of the layer does. A function that is
named so and can be reached in any other way is none of these.
"""

import re
from collections.abc import Set

from ckpttool.formats.tensorflow.saved_objects import Objects

CALLS = "PyFunc"
"""The operation that calls a function of Python."""

_NAME = re.compile(r"__inference_adapt_step_[0-9]+")
_ATTRIBUTE, _TRACE, _LAYER = "_adapt_function", re.compile(r"trace_[0-9]+"), "_tf_keras_layer"


def is_one(function: str) -> bool:
    """Whether a function is called as such a step."""
    return _NAME.fullmatch(function) is not None


def steps_of_layers(steps: Set[str], objects: Objects) -> Set[str]:
    """The functions, of some, that layers of Keras have as their step, and nothing else has in any way."""
    layers = {layer.number for layer in objects.keras_objects if layer.identifier == _LAYER}
    holders: dict[int, set[tuple[int, str]]] = {}
    for number, node in enumerate(objects.nodes):
        for name, child in node.children:
            holders.setdefault(child, set()).add((number, name))
    whole = {
        number
        for number in objects.functions
        if number in holders and all(name == _ATTRIBUTE and at in layers for at, name in holders[number])
    }
    traces = {
        number
        for number in objects.functions
        if number in holders and all(at in whole and _TRACE.fullmatch(name) for at, name in holders[number])
    }
    known = (whole | traces) - objects.savers
    others = {name for number, names in objects.functions.items() if number not in known for name in names}
    own = {name for number in known & whole for name in objects.functions[number]}
    return (steps & own) - others
