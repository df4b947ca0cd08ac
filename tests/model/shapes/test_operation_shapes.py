"""The output shapes of operations against those that Keras itself reports."""

from typing import Any

import pytest

from ckpttool.errors import ConfigError
from ckpttool.model.arguments import Args
from ckpttool.model.graph import Call, Tensor, read_calls
from ckpttool.model.operations.table import OPERATIONS
from ckpttool.model.output_rule import Outputs
from tests.loops import for_each
from tests.model.shapes.operation_questions import QUESTIONS
from tests.recorded import recorded

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


def entry_and_outputs(question: str) -> tuple[dict[str, Any], list[Any] | None]:
    """The entry of the operation in a model's config, and the shapes that Keras reports, None where it refuses."""
    answer = recorded("operation_shapes").answers[question]
    outputs = answer["outputs"]
    return answer["entry"], None if outputs is None else [tuple(shape) for shape in outputs]


def _infer(args: Args, call: Call) -> Outputs:
    raise AssertionError("operations hold no layers")


def _outputs(entry: dict[str, Any], call: Call | None = None) -> Outputs:
    args = Args.of(entry)
    return OPERATIONS[args.class_name](args, call or read_calls(entry)[0], _infer)


TAKEN = QUESTIONS["takes"]
CLASSES = sorted({case.class_name for case in TAKEN.values()})


def asked(class_name: str) -> list[tuple[str, dict[str, Any], list[Any]]]:
    """The questions about a class, with the entry and the shapes that Keras reports of each."""
    wrong = []
    for question, case in TAKEN.items():
        if case.class_name == class_name:
            entry, outputs = entry_and_outputs(question)
            assert outputs is not None, question
            wrong.append((question, entry, outputs))
    return wrong


@for_each(CLASSES)
def test_shapes_are_those_of_keras(class_name: str) -> None:
    """Each output has the shape that Keras reports, with None where it reports None."""
    for question, entry, expected in asked(class_name):
        shapes = list(_outputs(entry))
        if class_name not in LESS_KNOWN:
            assert shapes == expected, question
        assert len(shapes) == len(expected), question
        assert all(map(_agree, shapes, expected)), question


def _of_unknown_rank(tensor: Tensor) -> Tensor:
    return Tensor(tensor.layer, tensor.node, tensor.output)


def _of_unknown_sizes(tensor: Tensor) -> Tensor:
    return Tensor(tensor.layer, tensor.node, tensor.output, (None,) * len(tensor.shape or ()))


@pytest.mark.parametrize("known_less", [_of_unknown_rank, _of_unknown_sizes], ids=["rank", "sizes"])
@for_each(CLASSES)
def test_unknown_inputs_agree(class_name: str, known_less: Any) -> None:
    """Outputs of inputs whose ranks or sizes are not known agree with Keras as far as they are known, and
    there are as many."""
    for question, entry, expected in asked(class_name):
        shapes = _outputs(entry, read_calls(entry)[0].replaced(known_less))
        assert len(shapes) == len(expected) or (shapes == () and class_name in NUMBER_BY_INPUT), question
        assert all(_agree(shape, full) for shape, full in zip(shapes, expected, strict=False)), question


def _agree(shape: Any, expected: Any) -> bool:
    """Whether what is told is right as far as it goes."""
    if shape is None:
        return True
    return len(shape) == len(expected) and all(
        size is None or size == other for size, other in zip(shape, expected, strict=True)
    )


@pytest.mark.parametrize("question", QUESTIONS["refuses"])
def test_what_keras_refuses_is_refused(question: str) -> None:
    """Inputs that do not fit raise ConfigError, as they raise in Keras."""
    entry, outputs = entry_and_outputs(question)
    assert outputs is None
    with pytest.raises(ConfigError):
        _outputs(entry)


def test_every_operation_has_a_row() -> None:
    """No operation of Keras is missing from the table, and the table has no others."""
    classes = recorded("operation_shapes").answers["operations"]
    assert set(OPERATIONS) | set(WITHOUT_ROW) == set(classes)
    assert not set(OPERATIONS) & set(WITHOUT_ROW)


def test_every_row_is_tried() -> None:
    """Each row is compared with Keras at least once, or has a reason not to be."""
    assert set(OPERATIONS) == {*CLASSES, *UNTRIED, *UNKNOWN_NUMBER}
    assert len(TAKEN) >= 400


@pytest.mark.parametrize("question", QUESTIONS["calls"])
def test_results_of_functions_are_not_known(question: str) -> None:
    """Of an operation that calls a function, not even the number of outputs is told."""
    entry, expected = entry_and_outputs(question)
    assert expected == [(None, 3)]
    assert _outputs(entry) == ()
