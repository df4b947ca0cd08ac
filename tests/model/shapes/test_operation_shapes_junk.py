"""A config is a stranger's: whatever it holds, a rule for an operation gives shapes or one clear error."""

from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ckpttool.errors import ConfigError
from ckpttool.model.arguments import Args
from ckpttool.model.graph import Call, Tensor, read_calls
from ckpttool.model.operations.binding_rules import MAX_OUTPUTS
from ckpttool.model.operations.table import OPERATIONS
from ckpttool.model.output_rule import Outputs
from ckpttool.model.sizes import MAX_RANK, MAX_SIZE, Shape
from tests.speeds import examples

KEYS = (
    "name axis axes axis1 axis2 axisa axisb axisc keepdims ord newshape shape repeats pad_width source "
    "destination k N n num num_classes num_segments num_tokens indices_or_sections offset bins size "
    "return_index return_inverse mode return_counts indexing subscripts strides padding data_format "
    "dilation_rate output_padding pool_size output_size kernel_size dilation stride block_size sequence_length "
    "sequence_stride fft_length length center strategy top_paths full_matrices compute_uv target_height "
    "target_width top_padding left_padding bottom_padding right_padding dtype top_cropping left_cropping "
    "bottom_cropping right_cropping retstep x y"
)
TEXTS = (
    "valid",
    "same",
    "causal",
    "channels_first",
    "channels_last",
    "reduced",
    "ij",
    "xy",
    "fro",
    "ij,jk->ik",
    "...a->a",
)
NAMES = ("x", "x1", "x2", "xs", "y", "a", "b", "inputs", "images", "kernel", "key", "indices", "tensor", "pattern", "q")

NUMBERS = st.sampled_from((-1, 0, 1, 2, 3, 5, -7, 2**31, 10**400)) | st.integers()
LEAVES = st.none() | st.booleans() | NUMBERS | st.floats() | st.sampled_from(TEXTS) | st.text(max_size=6)
VALUES = st.recursive(
    LEAVES,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from(("class_name", "config", "a")), inner),
    max_leaves=8,
)
TUPLES = st.builds(lambda items: {"class_name": "__tuple__", "items": items}, VALUES)
ARRAYS = st.builds(lambda value: {"class_name": "__numpy__", "config": {"value": value}}, VALUES)
CONFIGS = st.dictionaries(st.sampled_from(KEYS.split()), VALUES | TUPLES | st.lists(NUMBERS, max_size=4), max_size=6)
SHAPES = st.none() | st.lists(st.none() | st.sampled_from((0, 1, 2, 3, 4, 6, MAX_SIZE)), max_size=5).map(tuple)
TENSORS = SHAPES.map(lambda shape: Tensor("input", 0, 0, shape))
PLACES = st.builds(slice, VALUES, VALUES, VALUES)
ARGUMENTS = (
    TENSORS | st.lists(TENSORS, max_size=3) | ARRAYS | VALUES | PLACES | st.lists(PLACES | TENSORS | LEAVES, max_size=4)
)
CALLS = st.builds(
    lambda args, kwargs: Call(tuple(args), kwargs),
    st.lists(TENSORS | TENSORS | ARGUMENTS, max_size=4),
    st.dictionaries(st.sampled_from(NAMES), ARGUMENTS, max_size=2),
)

RULES = sorted({rule: name for name, rule in OPERATIONS.items()}.values())
"""One class for each rule; many share one."""


def _outputs(class_name: str, config: Any, call: Call) -> Outputs | None:
    """The output shapes by the rule, None where it refuses."""
    try:
        return OPERATIONS[class_name](
            Args.of({"class_name": class_name, "config": config}), call, lambda args, call: ()
        )
    except ConfigError:
        return None


def _is_shape(shape: Shape | None) -> bool:
    return shape is None or (
        isinstance(shape, tuple)
        and len(shape) <= MAX_RANK
        and all(size is None or (type(size) is int and 0 <= size <= MAX_SIZE) for size in shape)
    )


def _unsound(config: Any, *calls: Call) -> list[tuple[str, Call, Outputs]]:
    """The rules that give shapes of impossible arrays for one of these calls, or more than there may be."""
    answers = [(name, call, _outputs(name, config, call)) for name in RULES for call in calls]
    return [(name, call, shapes) for name, call, shapes in answers if shapes is not None and not _are_shapes(shapes)]


def _are_shapes(shapes: Outputs) -> bool:
    return len(shapes) <= MAX_OUTPUTS and all(map(_is_shape, shapes))


# To draw an example takes forty times what a rule does with it, so each serves all rules.
@settings(max_examples=examples(1500), deadline=None, suppress_health_check=list(HealthCheck))
@given(config=CONFIGS, call=CALLS)
def test_junk_gives_shapes_or_one_error(config: Any, call: Call) -> None:
    """Any config and any call end in shapes of possible arrays, or in ConfigError."""
    assert _unsound(config, call) == []


@settings(max_examples=examples(600), deadline=None, suppress_health_check=list(HealthCheck))
@given(config=CONFIGS, shapes=st.lists(SHAPES, min_size=1, max_size=3), key=VALUES | st.lists(PLACES | LEAVES))
def test_tensors_of_any_shape(config: Any, shapes: list[Any], key: Any) -> None:
    """Any number of tensors of any shape, with one value behind them, end in shapes or in ConfigError."""
    tensors = tuple(Tensor("input", 0, 0, shape) for shape in shapes)
    ways = (tensors, (*tensors, key), (list(tensors),), (list(tensors), key))
    assert _unsound(config, *map(Call, ways)) == []


@pytest.mark.parametrize(
    ("class_name", "config"),
    [
        ("Split", {"indices_or_sections": 10**12}),
        ("ArraySplit", {"indices_or_sections": 10**12}),
        ("Unstack", {"num": 10**12}),
        ("UnravelIndex", {"shape": [1] * 10**5}),
        ("Tile", {"repeats": [2] * 10**5}),
        ("Reshape", {"newshape": [1] * 10**5}),
        ("ExpandDims", {"axis": list(range(10**5))}),
        ("Tensordot", {"axes": 10**12}),
        ("Einsum", {"subscripts": "a" * 10**6}),
        ("Einsum", {"subscripts": "," * 10**6}),
        ("Repeat", {"repeats": 10**4000}),
    ],
)
def test_large_numbers_cost_nothing(class_name: str, config: Any) -> None:
    """A number in a config does not decide how much work or memory its rule takes."""
    for shape in (None, (2, 6), (None, 10**12)):
        shapes = _outputs(class_name, config, Call((Tensor("input", 0, 0, shape),)))
        assert shapes is None or (len(shapes) <= MAX_OUTPUTS and all(map(_is_shape, shapes)))


def test_long_patterns() -> None:
    """A pattern of einops with a million brackets is read or refused."""
    for pattern in (
        "(" * 10**6 + "->",
        "(a" * 10**6 + "->",
        "a " * 10**6 + "-> a",
        "( " * 10**5 + "-> (" + "a" * 10**6,
    ):
        assert _outputs("Rearrange", {}, Call((Tensor("input", 0, 0, (2, 3)), pattern))) in (None, (None,))


def test_nested_arrays() -> None:
    """The shape of an array among the arguments is told, and refused where its rows differ in length."""
    row = {"class_name": "__numpy__", "config": {"value": [[1, 2, 3]], "dtype": "int32"}}
    assert _outputs("Add", {}, Call((Tensor("input", 0, 0, (None, 4, 1)), row))) == ((None, 4, 3),)
    torn = {"class_name": "__numpy__", "config": {"value": [[1], [2, 3]], "dtype": "int32"}}
    assert _outputs("Add", {}, Call((Tensor("input", 0, 0, (None, 1, 1)), torn))) is None


def test_arguments_by_name() -> None:
    """Arguments may stand by name; one given twice, one missing and one too many are refused."""
    one, other = Tensor("input", 0, 0, (None, 4, 1)), Tensor("input", 0, 0, (3,))
    assert _outputs("Add", {}, Call((), {"x2": one, "x1": other})) == ((None, 4, 3),)
    assert _outputs("Add", {}, Call((one,), {"x1": other})) is None
    assert _outputs("Add", {}, Call((one,))) is None
    assert _outputs("Add", {}, Call((one, one, one))) is None
    assert _outputs("Add", {}, Call((one, one), {"x3": one})) is None


def test_messages_say_what_does_not_fit() -> None:
    """The error names the operation, what was expected and the shapes that were found."""
    args = Args.of({"class_name": "Matmul", "config": {"name": "product"}})
    tensors = Tensor("a", 0, 0, (None, 3)), Tensor("b", 0, 0, (4, 5))
    with pytest.raises(ConfigError, match="Matmul 'product'") as caught:
        OPERATIONS["Matmul"](args, Call(tensors), lambda args, call: ())
    assert "equal sizes, not 3 and 4" in str(caught.value)
    assert "[None, 3], [4, 5]" in str(caught.value)


def test_ellipsis_of_a_config() -> None:
    """`...` stands in a config as an object of its own class."""
    tensor = {"class_name": "__keras_tensor__", "config": {"shape": [None, 4, 5], "keras_history": ["x", 0, 0]}}
    key = [{"class_name": "__ellipsis__", "config": {}}, 0]
    entry = {"class_name": "GetItem", "config": {}, "inbound_nodes": [{"args": [tensor, key], "kwargs": {}}]}
    assert _outputs("GetItem", {}, read_calls(entry)[0]) == ((None, 4),)


def test_the_smaller_of_two_sizes() -> None:
    """The number of singular values is not known where one of the two sizes is not."""
    call = Call((Tensor("", 0, 0, (None, 3)),))
    assert list(OPERATIONS["SVD"](Args("SVD", {"name": "svd"}), call, lambda *_: ()))[1] == (None,)
