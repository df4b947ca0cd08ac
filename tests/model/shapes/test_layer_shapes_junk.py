"""A config is a stranger's: whatever it holds, the table of output shapes gives shapes or one clear error."""

from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ckpttool.errors import ConfigError
from ckpttool.model.arguments import MAX_DEPTH, Args
from ckpttool.model.graph import Call, Tensor
from ckpttool.model.layers.table import LAYERS, MODELS, output_shapes
from ckpttool.model.output_rule import Outputs
from ckpttool.model.sizes import MAX_RANK, MAX_SIZE
from tests.loops import for_each
from tests.model.shapes.layer_shape_cases import all_cases
from tests.model.shapes.shape_case import Case, filled, infer, plain, shapes_of, tensor
from tests.model.test_layers_junk import entries, junk, shapes
from tests.speeds import examples, is_full, one_of_each
from tests.work import Calls

CASES = all_cases()
NAMES = ("return_attention_scores", "reverse", "value", "initial_state", "mask")
JUNK: tuple[Any, ...] = (
    None,
    True,
    0,
    -1,
    2**63 - 1,
    2**70,
    10**5000,
    1.5,
    float("nan"),
    "",
    "x" * 99,
    [],
    [0, -1],
    [2**70] * 3,
    [[[]]],
    ["a", None, {}],
    {},
    {"class_name": "__tuple__", "items": {"items": 1}},
    {"class_name": "Dense", "config": [1]},
)


def tried(entry: Any, call: Call) -> Outputs | str:
    """The output shapes of a call by the table, or the message of its error."""
    try:
        args = Args.of(entry)
    except ConfigError as error:
        return str(error) or "nothing said"
    return called(args, call)


def called(args: Args, call: Call) -> Outputs | str:
    """The output shapes of a call of a layer whose arguments are read, or the message of the error."""
    try:
        return infer(args, call)
    except ConfigError as error:
        return str(error) or "nothing said"


def is_sound(outputs: Outputs | str) -> bool:
    """Whether there is a message, or shapes that arrays can have."""
    return isinstance(outputs, str) or all(
        len(shape) <= MAX_RANK and all(size is None or 0 <= size <= MAX_SIZE for size in shape)
        for shape in outputs
        if shape is not None
    )


def good_case(class_name: str) -> Case:
    """The case of a class that has the most arguments among those that the table knows."""
    known = [case for case in CASES if case.spec.class_name == class_name and isinstance(outcome(case), tuple)]
    return max(known, key=lambda case: len(case.spec.kwargs))


def outcome(case: Case) -> Outputs | str:
    """The output shapes of a case by the table, or the message of its error."""
    try:
        return shapes_of(plain(case.spec), case)
    except ConfigError as error:
        return str(error)


@for_each(sorted({case.spec.class_name for case in CASES}))
def test_every_argument_junk(class_name: str) -> None:
    """No argument of any layer can be replaced by anything that raises other than ConfigError."""
    case = good_case(class_name)
    call = Call(tuple(filled(list(case.args), tensor)), filled(case.kwargs, tensor))
    keys = {key for case in CASES if case.spec.class_name == class_name for key in case.spec.kwargs}
    for key in {*keys, "name", "dtype", "data_format", "return_state", "input_length"}:
        for value in JUNK:
            entry = plain(case.spec)
            assert is_sound(tried({**entry, "config": {**entry["config"], key: value}}, call))


@for_each(one_of_each(sorted({case.spec.class_name for case in CASES}), lambda name: [LAYERS[name].outputs]))
def test_every_input_junk(class_name: str) -> None:
    """No layer can be called on anything that raises other than ConfigError."""
    args = Args.of(plain(good_case(class_name).spec))
    sizes: list[Any] = [None, 0, 1, 2**63 - 1]
    inputs = [Tensor("x", 0, 0, (size,) * rank) for rank in range(8) for size in sizes]
    boxes = {"images": inputs[9], "bounding_boxes": {"boxes": [inputs[9]]}}
    for number, value in enumerate((*JUNK, *inputs, [inputs[0]] * 4, boxes)):
        ways = ((), (value,), ([value, value],), (inputs[9], value), (inputs[12], inputs[12], value))
        for at, positional in enumerate(ways, number):
            assert is_sound(called(args, Call(positional)))
            for name in NAMES if is_full() else [NAMES[at % len(NAMES)]]:
                assert is_sound(called(args, Call(positional, {name: value})))


tensors = st.builds(lambda shape: Tensor("x", 0, 0, shape), shapes)
arguments = st.recursive(
    tensors | tensors | junk,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=2),
    max_leaves=4,
)
names = st.sampled_from(("inputs", "value", "key", "mask", "return_attention_scores", "reverse"))


@settings(max_examples=examples(1500), deadline=None, suppress_health_check=list(HealthCheck))
@given(entries, st.lists(arguments, max_size=3).map(tuple), st.dictionaries(names, arguments, max_size=2))
def test_junk(entry: dict[str, Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
    """Any config and any call give shapes, or a ConfigError with a message."""
    assert is_sound(tried(entry, Call(args, kwargs)))


def wrapped(entry: Any, depth: int, class_name: str, key: str = "layer", listed: bool = False) -> dict[str, Any]:
    """A layer in so many wrappers."""
    for _ in range(depth):
        entry = {"class_name": class_name, "config": {key: [entry, entry] if listed else entry}}
    return dict(entry)


def test_depth() -> None:
    """Layers may nest 64 deep and no deeper, whatever the depth of the config."""
    entry, call = {"class_name": "Dense", "config": {"units": 2}}, Call((Tensor("x", 0, 0, (None,) * 64),))
    assert infer(Args.of(wrapped(entry, MAX_DEPTH - 3, "TimeDistributed")), call) == ((*(None,) * 63, 2),)
    assert "nested more than 64 deep" in tried(wrapped(entry, 100_000, "TimeDistributed"), Call((Tensor("x", 0, 0),)))


@pytest.mark.parametrize("class_name", ["Bidirectional", "SpectralNormalization", "TimeDistributed"])
def test_wrappers_ask_once(class_name: str) -> None:
    """A wrapper asks once for what it holds, so nesting does not double the work."""
    asked = []

    def counted(args: Args, call: Call) -> Outputs:
        asked.append(args.class_name)
        return output_shapes(args, call, counted)

    inner = {"class_name": "LSTM", "config": {"units": 2}}
    counted(Args.of(wrapped(inner, 1, class_name)), Call((Tensor("x", 0, 0),)))
    assert len(asked) == 2


def test_growth() -> None:
    """Sizes cannot grow from layer to layer beyond those of arrays."""
    layer = {"class_name": "UpSampling1D", "config": {"size": 2**40}}
    entry = {"class_name": "Pipeline", "config": {"layers": [layer] * 10_000}}
    with Calls() as calls:
        answer = tried(entry, Call((Tensor("x", 0, 0, (None, 3, 2)),)))
    assert "UpSampling1D" in answer
    assert calls.count < 200 * 10_000


def test_message() -> None:
    """An error names the layer, what was expected and what was found."""
    entry = {"class_name": "Conv2D", "config": {"name": "stem", "filters": 8, "kernel_size": 3}}
    with pytest.raises(ConfigError) as raised:
        infer(Args.of(entry), Call((Tensor("x", 0, 0, (None, 5)),)))
    error = raised.value
    assert "Conv2D 'stem'" in str(error)
    assert (error.expected, error.found) == ("an input with at least 4 axes", "(None, 5)")


def test_every_class_has_a_good_case() -> None:
    """Every class of the table that Keras 3 has is tried with junk, but for aliases of one that is."""
    tried_classes = {case.spec.class_name for case in CASES}
    assert {LAYERS[name] for name in tried_classes} == {LAYERS[name] for name in set(LAYERS) - MODELS}
