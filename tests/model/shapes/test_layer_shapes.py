"""The table of output shapes against live layers of Keras: the same shapes for the same calls."""

from dataclasses import dataclass, field
from typing import Any

import pytest

from ckpttool.errors import ConfigError
from ckpttool.model.arguments import Args
from ckpttool.model.class_names import ALIASES
from ckpttool.model.graph import Call, Tensor
from ckpttool.model.layers.layer_type import MaskUse
from ckpttool.model.layers.table import LAYERS, MODELS
from ckpttool.model.output_rule import Outputs
from tests.loops import for_each
from tests.model.shapes.layer_shape_cases import all_cases
from tests.model.shapes.shape_case import Case, blank, infer, plain, shapes_of
from tests.recorded import recorded

CASES = all_cases()
USED = {"Convolution2D", "GroupQueryAttention"}  # aliases that have cases


@dataclass(frozen=True)
class Seen:
    """The answer of Keras for one call: the layer's config, and its outputs, None where it refuses; the outputs where
    unknown axes have a size; and whether it runs the call, where it was asked."""

    entry: dict[str, Any]
    outputs: Outputs | None
    defined: list[Outputs] = field(default_factory=list)
    runs: bool | None = None


def seen(case: Case) -> Seen:
    """The answer of Keras for a case."""
    answer = recorded("layer_shapes").answers[str(case)]
    defined = [shapes(outputs) for outputs in answer.get("defined", ()) if outputs is not None]
    outputs = answer["outputs"]
    return Seen(answer["entry"], None if outputs is None else shapes(outputs), defined, answer.get("runs"))


def shapes(outputs: list[list[int | None]]) -> Outputs:
    """The shapes of a recorded answer."""
    return tuple(map(tuple, outputs))


def fits(outputs: Outputs, true: Outputs) -> bool:
    """Whether shapes are the true ones as far as they are known."""
    return len(outputs) == len(true) and all(
        one is None
        or (len(one) == len(other or ()) and all(a in (None, b) for a, b in zip(one, other or (), strict=True)))
        for one, other in zip(outputs, true, strict=True)
    )


def is_unknown(outputs: Outputs) -> bool:
    """Whether shapes tell nothing."""
    return all(shape is None for shape in outputs)


CLASSES = sorted({case.spec.class_name for case in CASES})
LEAVES_OPEN = {"EinsumDense"}
HOLDING = {"Bidirectional", "Lambda", "Pipeline", "RNN", "SpectralNormalization", "StackedRNNCells", "TimeDistributed"}


def cases_of(class_name: str) -> list[tuple[Case, Seen]]:
    """The cases of a class with what Keras says of them."""
    return [(case, seen(case)) for case in CASES if case.spec.class_name == class_name]


def outcome(entry: dict[str, Any], case: Case) -> Outputs | str:
    """The output shapes of a case by the table, or the reason why it refuses it."""
    try:
        return shapes_of(entry, case)
    except ConfigError as error:
        return error.expected


@for_each(CLASSES)
def test_outputs(class_name: str) -> None:
    """The table tells what Keras infers, and what Keras refuses it refuses or leaves unknown.

    Three things differ by intent: an axis that Keras refuses as undefined is just not known here, so the shape must be
    the one for some size of it; what Keras infers but fails to run may be refused here; and an axis that it leaves open
    although all sizes of the input are known has the size of a run.
    """
    answers = [(case, outcome(live.entry, case), live) for case, live in cases_of(class_name)]
    assert not [answer for answer in answers if not agrees(*answer)]


def agrees(case: Case, outputs: Outputs | str, live: Seen) -> bool:
    """Whether what the table says of a case is what Keras does."""
    if isinstance(outputs, str):
        return live.outputs is None or live.runs is False
    if live.outputs is None:
        return is_unknown(outputs) or any(fits(outputs, true) for true in live.defined)
    if is_own(case):
        return not outputs or (is_unknown(outputs) and len(outputs) == len(live.outputs))
    if case.spec.class_name in LEAVES_OPEN and all(None not in shape for shape in case.args):
        return fits(live.outputs, outputs)
    return outputs == live.outputs


def is_own(case: Case) -> bool:
    """Whether code tells what comes out, not the config."""
    is_given = case.spec.kwargs.get("output_shape") is not None
    return "OwnCell" in str(case) or (case.spec.class_name in ("Lambda", "Layer", "Wrapper") and not is_given)


@for_each([name for name in CLASSES if name not in HOLDING])
def test_defaults(class_name: str) -> None:
    """Arguments that a config leaves out have the defaults of Keras."""
    cases = [(case, live) for case, live in cases_of(class_name) if live.outputs is not None]
    answers = [(case, outcome(short(case, live), case), outcome(live.entry, case)) for case, live in cases]
    assert not [answer for answer in answers if answer[1] != answer[2]]


def short(case: Case, live: Seen) -> dict[str, Any]:
    """The config of a case with no more than its arguments, and with what Keras alone can count."""
    entry, key = plain(case.spec), "vocabulary_size"
    counted = {key: live.entry["config"][key]} if key in live.entry["config"] else {}
    return {**entry, "config": {**entry["config"], **counted}}


@for_each(CLASSES)
def test_unknown_inputs(class_name: str) -> None:
    """Inputs of unknown shape give as many outputs, and nothing wrong about them."""
    cases = [(case, live) for case, live in cases_of(class_name) if live.outputs is not None and not is_own(case)]
    answers = [(case, shapes_of(live.entry, case, blank), live.outputs) for case, live in cases]
    assert not [answer for answer in answers if not fits(answer[1], answer[2] or ())]


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
    "InputLayer": "has no input whose mask it could pass",
}


def parameters(class_name: str) -> list[str]:
    """The names of what the call of a class takes."""
    answers: list[str] = recorded("layer_shapes").answers["classes"][class_name]["parameters"]
    return answers


ROWS = sorted(LAYERS.keys() - MODELS - ALIASES.keys())


def test_masks() -> None:
    """A row says whether Keras hands a mask on, and whether it gives it to the call."""
    taken = {name for name in ROWS if MaskUse.TAKEN in LAYERS[name].masks}
    assert taken == {name for name in ROWS if "mask" in parameters(name)} - MASKS_OF_OTHERS
    passed = {name for name in ROWS if MaskUse.PASSED_NOW in LAYERS[name].masks}
    classes = recorded("layer_shapes").answers["classes"]
    supporting = {name for name in ROWS if classes[name]["hands masks on"]}
    assert passed ^ supporting == PASSED_OTHERWISE.keys()


def test_parameters() -> None:
    """A call takes the parameters of its row, in their order."""
    rows = {name: [*LAYERS[name].parameters[1:]] for name in ROWS}
    assert {name for name, listed in rows.items() if not {*listed} <= {*parameters(name)}} == set()
    assert {name: listed for name, listed in rows.items() if listed != sorted(listed, key=parameters(name).index)} == {}
    trained = {name for name in ROWS if LAYERS[name].takes_training and "training" not in parameters(name)}
    assert trained == {"ActivityRegularization"}  # whose argument Keras 1 and 2 wrote, and Keras 3 passes over


def test_not_built_in() -> None:
    """Nothing is told of a class that is not Keras's own."""
    call = Call((Tensor("input", 0, 0, (None, 3)),))
    assert shapes_of({"class_name": "Dense", "config": {"units": 2}, "module": "keras.layers"}, CASES[0]) == (
        (None, 9, 2),
    )
    assert infer(Args.of({"class_name": "Dense", "config": {"units": 2}, "module": "my.layers"}), call) == ()
    assert infer(Args.of({"class_name": "Own", "config": {}}), call) == ()
