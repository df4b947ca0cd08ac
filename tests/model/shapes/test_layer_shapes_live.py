"""The table of output shapes against live layers of Keras: the same shapes for the same calls."""

import inspect
import json
import os
import warnings
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy
import pytest

from ckpttool.errors import ConfigError
from ckpttool.model.arguments import Args
from ckpttool.model.class_names import ALIASES
from ckpttool.model.graph import Call, Tensor
from ckpttool.model.layers.layer_type import MaskUse
from ckpttool.model.layers.table import LAYERS, MODELS
from ckpttool.model.output_rule import Outputs
from ckpttool.model.sizes import Shape
from tests.model.layer_cases import Spec
from tests.model.shapes.layer_shape_cases import all_cases
from tests.model.shapes.shape_case import Case, blank, filled, infer, plain, told

os.environ.setdefault("CUDA_VISIBLE_DEVICES", "")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    keras: Any = pytest.importorskip("keras", minversion="3.15", reason="the oracle of the table is Keras 3.15 itself")

CASES = all_cases()
USED = {"Convolution2D", "GroupQueryAttention"}  # aliases that have cases


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


@dataclass(frozen=True)
class Seen:
    """What Keras said of one call: the layer's config, and its outputs, None where it refuses."""

    entry: dict[str, Any]
    outputs: Outputs | None


def made(value: Any) -> Any:
    """The live layer of a spec; lists and other values alike."""
    if isinstance(value, list):
        return [made(entry) for entry in value]
    if not isinstance(value, Spec):
        return value
    kwargs = {key: made(argument) for key, argument in value.kwargs.items()}
    if value.class_name == "Lambda":
        kwargs["function"] = getattr(keras.activations, kwargs["function"])
    return (OwnCell if value.class_name == "OwnCell" else getattr(keras.layers, value.class_name))(**kwargs)


def loaded(case: Case) -> tuple[dict[str, Any], Any]:
    """The config that Keras saves of a layer, and the live layer that it loads of that."""
    saved = json.dumps(keras.saving.serialize_keras_object(made(case.spec)))
    return json.loads(saved), keras.saving.deserialize_keras_object(json.loads(saved), {"OwnCell": OwnCell})


def live_outputs(layer: Any, case: Case, leaf: Any) -> Outputs:
    """The shapes of what a live layer gives out when it is called on what `leaf` makes of shapes."""
    if case.spec.class_name == "InputLayer":
        return (layer.output.shape,)
    outputs = layer(*filled(list(case.args), leaf), **filled(case.kwargs, leaf))
    return tuple(tuple(output.shape) for output in keras.tree.flatten(outputs))


def symbolic(shape: Shape, case: Case) -> Any:
    """An input of a shape, without values."""
    return keras.KerasTensor(shape, case.dtype)


def zeros(shape: Shape, case: Case) -> Any:
    """An array of a shape, of 7 along unknown axes."""
    return numpy.zeros(closed(shape, 7), case.dtype)


def closed(shape: Shape, size: int) -> tuple[int, ...]:
    """A shape with a size for each unknown one."""
    return tuple(size if each is None else each for each in shape)


def asked(case: Case, leaf: Any) -> Outputs | None:
    """The shapes of what Keras gives out for a case, None where it refuses it."""
    return seen_of(case, leaf).outputs


def seen_of(case: Case, leaf: Any) -> Seen:
    """What Keras says of a case when it is called on what `leaf` makes of shapes."""
    entry = plain(case.spec)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            entry, layer = loaded(case)
            return Seen(entry, live_outputs(layer, case, lambda shape: leaf(shape, case)))
        except Exception:
            return Seen(entry, None)


@cache
def seen(index: int) -> Seen:
    """What Keras infers for a case."""
    return seen_of(CASES[index], symbolic)


def fits(found: Outputs, true: Outputs) -> bool:
    """Whether shapes are the true ones as far as they are known."""
    return len(found) == len(true) and all(
        one is None
        or (len(one) == len(other or ()) and all(a in (None, b) for a, b in zip(one, other or (), strict=True)))
        for one, other in zip(found, true, strict=True)
    )


def is_unknown(found: Outputs) -> bool:
    """Whether shapes tell nothing."""
    return all(shape is None for shape in found)


CLASSES = sorted({case.spec.class_name for case in CASES})
HOLDING = {"Bidirectional", "Lambda", "Pipeline", "RNN", "SpectralNormalization", "StackedRNNCells", "TimeDistributed"}


def cases_of(class_name: str) -> list[tuple[Case, Seen]]:
    """The cases of a class with what Keras says of them."""
    return [(case, seen(index)) for index, case in enumerate(CASES) if case.spec.class_name == class_name]


def outcome(entry: dict[str, Any], case: Case) -> Outputs | str:
    """What the table says of a case, or that it refuses it and why."""
    try:
        return told(entry, case)
    except ConfigError as error:
        return error.expected


@pytest.mark.parametrize("class_name", CLASSES)
def test_outputs(class_name: str) -> None:
    """The table tells what Keras infers, and what Keras refuses it refuses or leaves unknown.

    Two things differ by intent: an axis that Keras refuses as undefined is just not known here, so the shape must be
    the one for some size of it; and what Keras infers but fails to run may be refused here.
    """
    found = [(case, outcome(live.entry, case), live.outputs) for case, live in cases_of(class_name)]
    assert not [one for one in found if not agrees(*one)]


def agrees(case: Case, found: Outputs | str, live: Outputs | None) -> bool:
    """Whether what the table says of a case is what Keras does."""
    if isinstance(found, str):
        return live is None or asked(case, zeros) is None
    if live is None:
        return is_unknown(found) or any(fits(found, true) for true in defined(case))
    if is_own(case):
        return not found or (is_unknown(found) and len(found) == len(live))
    return found == live


def is_own(case: Case) -> bool:
    """Whether code tells what comes out, not the config."""
    stated = case.spec.kwargs.get("output_shape") is not None
    return "OwnCell" in str(case) or (case.spec.class_name in ("Lambda", "Layer", "Wrapper") and not stated)


def defined(case: Case) -> list[Outputs]:
    """What Keras infers for a case whose unknown axes have a size."""
    sizes = (36, 5, 3) if "None" in str([case.args, case.kwargs]) else ()
    given = [asked(case, lambda shape, case, size=size: symbolic(closed(shape, size), case)) for size in sizes]
    return [outputs for outputs in given if outputs is not None]


@pytest.mark.parametrize("class_name", [name for name in CLASSES if name not in HOLDING])
def test_defaults(class_name: str) -> None:
    """Arguments that a config leaves out have the defaults of Keras."""
    cases = [(case, live) for case, live in cases_of(class_name) if live.outputs is not None]
    found = [(case, outcome(short(case, live), case), outcome(live.entry, case)) for case, live in cases]
    assert not [one for one in found if one[1] != one[2]]


def short(case: Case, live: Seen) -> dict[str, Any]:
    """The config of a case with no more than its arguments, and with what Keras alone can count."""
    entry, key = plain(case.spec), "vocabulary_size"
    counted = {key: live.entry["config"][key]} if key in live.entry["config"] else {}
    return {**entry, "config": {**entry["config"], **counted}}


@pytest.mark.parametrize("class_name", CLASSES)
def test_unknown_inputs(class_name: str) -> None:
    """Inputs of unknown shape give as many outputs, and nothing wrong about them."""
    cases = [(case, live) for case, live in cases_of(class_name) if live.outputs is not None and not is_own(case)]
    found = [(case, told(live.entry, case, blank), live.outputs) for case, live in cases]
    assert not [one for one in found if not fits(one[1], one[2] or ())]


def test_every_class() -> None:
    """Every built-in layer but the models has a case."""
    assert {case.spec.class_name for case in CASES} == set(LAYERS) - MODELS - set(ALIASES) - {
        "GroupedQueryAttention"
    } | USED


@pytest.mark.parametrize("alias", sorted(ALIASES))
def test_aliases(alias: str) -> None:
    """An alias has the row of the class that it stands for."""
    assert LAYERS[alias] is LAYERS[ALIASES[alias]]


# Where a row says otherwise than the class alone, with the reason.
MASKS_OF_OTHERS = {"AdditiveAttention", "Attention", "Lambda", "Pipeline"}  # a list of masks, or what the layer holds
PASSED_OTHERWISE = {
    "AdditiveAttention": "its own `compute_mask` gives the mask of the query",
    "Attention": "its own `compute_mask` gives the mask of the query",
    "GroupedQueryAttention": "passes one; nothing here follows a mask through it",
    "InputLayer": "has no input whose mask it could pass",
}


@cache
def instance_of(class_name: str) -> Any:
    """A live layer of a class, made of the first of its cases that Keras takes."""
    for case in CASES:
        if ALIASES.get(case.spec.class_name, case.spec.class_name) == class_name:
            try:
                return made(case.spec)
            except (TypeError, ValueError):
                continue
    raise AssertionError(class_name)


def parameters(class_name: str) -> list[str]:
    """The names of what the call of a class takes."""
    return list(inspect.signature(type(instance_of(class_name)).call).parameters)[1:]


ROWS = sorted(LAYERS.keys() - MODELS - ALIASES.keys())


def test_masks() -> None:
    """A row says whether Keras hands a mask on, and whether it gives it to the call."""
    taken = {name for name in ROWS if MaskUse.TAKEN in LAYERS[name].masks}
    assert taken == {name for name in ROWS if "mask" in parameters(name)} - MASKS_OF_OTHERS
    passed = {name for name in ROWS if MaskUse.PASSED_NOW in LAYERS[name].masks}
    base = keras.layers.Layer.compute_mask
    supporting = {
        name for name in ROWS if instance_of(name).supports_masking and type(instance_of(name)).compute_mask is base
    }
    assert passed ^ supporting == PASSED_OTHERWISE.keys()


def test_parameters() -> None:
    """What a row says that a call takes beside its inputs, it takes."""
    named = {name for name in ROWS if not {*LAYERS[name].parameters[1:]} <= {*parameters(name)}}
    assert named == set()
    trained = {name for name in ROWS if LAYERS[name].takes_training and "training" not in parameters(name)}
    assert trained == {"ActivityRegularization"}  # whose argument Keras 1 and 2 wrote, and Keras 3 passes over


def test_not_built_in() -> None:
    """Nothing is told of a class that is not Keras's own."""
    call = Call((Tensor("input", 0, 0, (None, 3)),))
    assert told({"class_name": "Dense", "config": {"units": 2}, "module": "keras.layers"}, CASES[0]) == ((None, 9, 2),)
    assert infer(Args.of({"class_name": "Dense", "config": {"units": 2}, "module": "my.layers"}), call) == ()
    assert infer(Args.of({"class_name": "Own", "config": {}}), call) == ()
