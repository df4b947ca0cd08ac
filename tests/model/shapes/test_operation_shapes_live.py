"""The output shapes of operations against those that Keras itself reports."""

import importlib
import inspect
import json
import os
import pkgutil
from functools import cache
from typing import Any

import pytest

os.environ.setdefault("KERAS_BACKEND", "tensorflow")
keras = pytest.importorskip("keras", minversion="3.15")

from keras.src import tree  # noqa: E402
from keras.src.ops.operation import Operation  # noqa: E402

from ckpttool.errors import ConfigError  # noqa: E402
from ckpttool.model.arguments import Args  # noqa: E402
from ckpttool.model.graph import Call, read_calls  # noqa: E402
from ckpttool.model.operations.table import OPERATIONS  # noqa: E402
from ckpttool.model.output_rule import Outputs  # noqa: E402
from tests.model.shapes.neural_operation_shape_cases import OTHER_CASES, REFUSED  # noqa: E402
from tests.model.shapes.operation_case import Case, case  # noqa: E402
from tests.model.shapes.operation_shape_cases import ARRAY_CASES  # noqa: E402

CASES = (*ARRAY_CASES, *OTHER_CASES)
MODULES = ("keras.src.activations.activations", "keras.src.quantizers.quantizers")
WITHOUT_ROW = {
    "ForiLoop": "takes functions when it is made, so that a model with it cannot be serialized",
    "WhileLoop": "takes functions when it is made, so that a model with it cannot be serialized",
    "Function": "a graph of operations; as a model it is a layer",
}
UNTRIED = {
    "Arange": "its length is computed from its arguments, which therefore are no tensors of a model",
    "SegmentReduction": "the base of the segment operations",
}
UNKNOWN_NUMBER = {
    "AssociativeScan": "calls a function",
    "Cond": "calls a function",
    "JVP": "calls a function",
    "Map": "calls a function",
    "Scan": "calls a function",
    "Switch": "calls a function",
    "VectorizedMap": "calls a function",
}
NUMBER_BY_INPUT = {
    "Nonzero": "an output for each axis of the input",
    "Unstack": "an output for each place along an axis of the input",
}
LESS_KNOWN = {
    "AdaptiveAveragePool": "Keras 3.15.1 reports an axis too many where the channels are last",
    "AdaptiveMaxPool": "Keras 3.15.1 reports an axis too many where the channels are last",
    "Cross": "vectors of unknown size may leave an axis or none",
    "Squeeze": "a size that is not known may be 1, but for that of the batch",
    "View": "the last axis depends on the dtype of the input, which a call does not tell",
}


def _members() -> set[type]:
    """Every operation of Keras that is no layer."""
    ops = importlib.import_module("keras.src.ops")
    names = [f"keras.src.ops.{found.name}" for found in pkgutil.iter_modules(ops.__path__) if "_test" not in found.name]
    modules = [importlib.import_module(name) for name in (*names, *MODULES)]
    members = [member for module in modules for _, member in inspect.getmembers(module, inspect.isclass)]
    return {
        member
        for member in members
        if issubclass(member, Operation)
        and member is not Operation
        and not issubclass(member, keras.layers.Layer)
        and member.__module__ in (*names, *MODULES)
    }


CLASSES = {member.__name__: member for member in _members()}


def _called(given: Case) -> tuple[Operation, Any, Any]:
    """The operation of a case, its inputs and what Keras says comes out."""
    inputs = [keras.Input(batch_shape=shape, dtype=given.dtype) for shape in given.inputs]
    operation = CLASSES[given.class_name](**given.config)
    return operation, inputs, given.call(operation, *inputs)


@cache
def _entry(given: Case) -> tuple[dict[str, Any], list[Any]]:
    """The entry of the operation in a model's config, and the shapes that Keras reports."""
    operation, inputs, outputs = _called(given)
    config = json.loads(keras.Model(inputs, outputs).to_json())["config"]
    entry = next(entry for entry in config["layers"] if entry["name"] == operation.name)
    return entry, [tuple(output.shape) for output in tree.flatten(outputs)]


def _infer(args: Args, call: Call) -> Outputs:
    raise AssertionError("operations hold no layers")


def _outputs(entry: dict[str, Any], call: Call | None = None) -> Outputs:
    args = Args.of(entry)
    return OPERATIONS[args.class_name](args, call or read_calls(entry)[0], _infer)


@pytest.mark.parametrize("given", CASES, ids=str)
def test_shapes_are_those_of_keras(given: Case) -> None:
    """Each output has the shape that Keras reports, with None where it reports None."""
    entry, expected = _entry(given)
    found = list(_outputs(entry))
    if given.class_name not in LESS_KNOWN:
        assert found == expected
    assert len(found) == len(expected)
    assert all(map(_agree, found, expected))


@pytest.mark.parametrize("given", CASES, ids=str)
def test_an_unknown_input_gives_as_many_outputs(given: Case) -> None:
    """Where the ranks of the inputs are not known, what is told of the outputs agrees with Keras."""
    entry, expected = _entry(given)
    call = read_calls(entry)[0].replaced(lambda tensor: type(tensor)(tensor.layer, tensor.node, tensor.output))
    found = _outputs(entry, call)
    assert len(found) == len(expected) or (found == () and given.class_name in NUMBER_BY_INPUT)
    assert all(_agree(shape, full) for shape, full in zip(found, expected, strict=False))


@pytest.mark.parametrize("given", CASES, ids=str)
def test_inputs_with_unknown_sizes_agree(given: Case) -> None:
    """Where no size of the inputs is known, those of the outputs that are told agree with Keras."""
    entry, expected = _entry(given)
    call = read_calls(entry)[0].replaced(
        lambda tensor: type(tensor)(tensor.layer, tensor.node, tensor.output, (None,) * len(tensor.shape or ()))
    )
    found = _outputs(entry, call)
    assert len(found) == len(expected) or (found == () and given.class_name in NUMBER_BY_INPUT)
    assert all(_agree(shape, full) for shape, full in zip(found, expected, strict=False))


def _agree(found: Any, expected: Any) -> bool:
    """Whether what is told is right as far as it goes."""
    if found is None:
        return True
    return len(found) == len(expected) and all(
        size is None or size == other for size, other in zip(found, expected, strict=True)
    )


@pytest.mark.parametrize("given", REFUSED, ids=str)
def test_what_keras_refuses_is_refused(given: Case) -> None:
    """Inputs that do not fit raise ConfigError, as they raise in Keras."""
    with pytest.raises(Exception):  # noqa: B017, PT011
        _called(given)
    inputs = [keras.Input(batch_shape=shape) for shape in given.inputs]
    arguments = given.call(lambda *args: list(args), *inputs)
    node = keras.saving.serialize_keras_object({"args": arguments, "kwargs": {}})
    entry = {"class_name": given.class_name, "config": given.config, "inbound_nodes": [node]}
    with pytest.raises(ConfigError):
        _outputs(json.loads(json.dumps(entry)))


def test_every_operation_has_a_row() -> None:
    """No operation of Keras is missing from the table, and the table has no others."""
    assert set(OPERATIONS) | set(WITHOUT_ROW) == set(CLASSES)
    assert not set(OPERATIONS) & set(WITHOUT_ROW)


def test_every_row_is_tried() -> None:
    """Each row is compared with Keras at least once, or has a reason not to be."""
    tried = {given.class_name for given in CASES}
    assert set(OPERATIONS) == tried | set(UNTRIED) | set(UNKNOWN_NUMBER)
    assert len(CASES) >= 400


def test_class_names_are_unique() -> None:
    """No two modules of operations have a class of the same name, so that the name is enough for the table."""
    names = [found.__name__ for found in _members()]
    assert len(names) == len(set(names))


def _increment(x: Any) -> Any:
    return x + 1


@pytest.mark.parametrize("class_name", ["Map", "VectorizedMap"])
def test_what_functions_return_is_not_told(class_name: str) -> None:
    """Of an operation that calls a function, not even the number of outputs is told."""
    config = {"function": _increment} if class_name == "VectorizedMap" else {}
    call = None if config else (lambda operation, x: operation(_increment, x))
    entry, expected = _entry(case(class_name, (None, 3), call=call, **config))
    assert expected == [(None, 3)]
    assert _outputs(entry) == ()
