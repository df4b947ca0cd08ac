"""The answers of live Keras for the calls of `layer_shape_cases`: the shapes of their outputs."""

import inspect
import json
import warnings
from functools import cache
from typing import Any

import numpy

from ckpttool.errors import ConfigError
from ckpttool.model.class_names import ALIASES
from ckpttool.model.layers.table import LAYERS, MODELS
from ckpttool.model.sizes import Shape
from tests.live import keras as live_keras
from tests.model.layer_cases import Spec
from tests.model.shapes.layer_shape_cases import all_cases
from tests.model.shapes.shape_case import Case, filled, plain, shapes_of
from tests.recorded import begin_anew
from tests.speeds import is_full, one_of_each

keras: Any = live_keras()
CASES = all_cases()
SIZES = (36, 5, 3)  # one of which an axis of unknown size may have


class OwnCell(keras.layers.Layer):
    """A recurrent cell that the table does not know."""

    def __init__(self, units: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.units = self.state_size = self.output_size = units

    def build(self, input_shape: Any) -> None:
        """Makes nothing."""

    def call(self, inputs: Any, states: Any) -> Any:
        """Gives back the state."""
        return states[0], states

    def get_config(self) -> dict[str, Any]:
        """The units and the rest."""
        return {**super().get_config(), "units": self.units}


def answers() -> dict[str, Any]:
    """The answers of Keras for all cases, in a full run of the tests for some of each kind, and for the classes of the
    table."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        answers = {str(case): _answer(case) for case in (one_of_each(CASES, _kinds) if is_full() else CASES)}
        return {**answers, "classes": {name: _class(name) for name in sorted(LAYERS.keys() - MODELS - ALIASES.keys())}}


def _kinds(case: Case) -> list[tuple[str, ...]]:
    """The kinds of a case: each value of an argument of its class, and the call of that."""
    name = case.spec.class_name
    values = [(name, key, repr(value)) for key, value in case.spec.kwargs.items()]
    return [*values, (name, repr(case.args), repr(case.kwargs))]


def _answer(case: Case) -> dict[str, Any]:
    """The layer's config and the shapes of its outputs, None where Keras refuses the call. Where it does, the shapes
    with sizes in the place of unknown ones; where the table does, whether Keras runs the call."""
    begin_anew()
    entry, outputs = _seen(case, lambda shape: keras.KerasTensor(shape, case.dtype))
    answer: dict[str, Any] = {"entry": entry, "outputs": outputs}
    if outputs is None and "None" in str([case.args, case.kwargs]):
        answer["defined"] = [_seen(case, _sized(case, size))[1] for size in SIZES]
    if outputs is not None and _is_refused(entry, case):
        answer["runs"] = _seen(case, lambda shape: numpy.zeros(_closed(shape, 7), case.dtype))[1] is not None
    return answer


def _is_refused(entry: dict[str, Any], case: Case) -> bool:
    try:
        shapes_of(entry, case)
    except ConfigError:
        return True
    return False


def _seen(case: Case, leaf: Any) -> tuple[dict[str, Any], Any]:
    """The answer of Keras for a case that is called on what `leaf` makes of shapes."""
    entry = plain(case.spec)
    try:
        saved = json.dumps(keras.saving.serialize_keras_object(_layer(case.spec)))
        entry = json.loads(saved)
        layer = keras.saving.deserialize_keras_object(json.loads(saved), {"OwnCell": OwnCell})
        return entry, _outputs(layer, case, leaf)
    except Exception:
        return entry, None


def _layer(value: Any) -> Any:
    """The live layer of a spec; lists and other values alike."""
    if isinstance(value, list):
        return [_layer(entry) for entry in value]
    if not isinstance(value, Spec):
        return value
    kwargs = {key: _layer(argument) for key, argument in value.kwargs.items()}
    if value.class_name == "Lambda":
        kwargs["function"] = getattr(keras.activations, kwargs["function"])
    return (OwnCell if value.class_name == "OwnCell" else getattr(keras.layers, value.class_name))(**kwargs)


def _outputs(layer: Any, case: Case, leaf: Any) -> list[Shape]:
    """The shapes of what a live layer gives out when it is called on what `leaf` makes of shapes."""
    if case.spec.class_name == "InputLayer":
        return [tuple(layer.output.shape)]
    outputs = layer(*filled(list(case.args), leaf), **filled(case.kwargs, leaf))
    return [tuple(output.shape) for output in keras.tree.flatten(outputs)]


def _sized(case: Case, size: int) -> Any:
    return lambda shape: keras.KerasTensor(_closed(shape, size), case.dtype)


def _closed(shape: Shape, size: int) -> tuple[int, ...]:
    """A shape with a size for each unknown one."""
    return tuple(size if axis is None else axis for axis in shape)


@cache
def _instance(class_name: str) -> Any:
    """A live layer of a class, made of the first of its cases that Keras takes."""
    for case in CASES:
        if ALIASES.get(case.spec.class_name, case.spec.class_name) == class_name:
            try:
                return _layer(case.spec)
            except (TypeError, ValueError):
                continue
    raise AssertionError(class_name)


def _class(name: str) -> dict[str, Any]:
    """The arguments of a call of a class, and whether its layers hand masks on as all do that support them."""
    layer = _instance(name)
    is_plain = type(layer).compute_mask is keras.layers.Layer.compute_mask
    parameters = list(inspect.signature(type(layer).call).parameters)[1:]
    return {"parameters": parameters, "hands masks on": bool(layer.supports_masking and is_plain)}
