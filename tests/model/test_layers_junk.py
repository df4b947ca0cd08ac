"""A config is a stranger's: whatever it holds, the table of layers gives a part or one clear error."""

import itertools
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ckpttool.errors import ConfigError
from ckpttool.model.arguments import MAX_DEPTH, Args
from ckpttool.model.layers.table import LAYERS
from ckpttool.model.parts import part_of
from ckpttool.model.slots import Part, in_path_layout
from tests.loops import for_each
from tests.model.legacy_order import in_legacy_order
from tests.speeds import examples, is_full, one_of_each
from tests.work import Calls

KEYS = (
    "name",
    "trainable",
    "dtype",
    "units",
    "use_bias",
    "filters",
    "kernel_size",
    "groups",
    "data_format",
    "depth_multiplier",
    "equation",
    "output_shape",
    "bias_axes",
    "input_dim",
    "output_dim",
    "tie_weights",
    "lora_rank",
    "quantization_config",
    "axis",
    "scale",
    "center",
    "renorm",
    "mean",
    "shared_axes",
    "mode",
    "frame_length",
    "fft_length",
    "num_heads",
    "key_dim",
    "value_dim",
    "head_dim",
    "num_query_heads",
    "num_key_value_heads",
    "use_gate",
    "score_mode",
    "reset_after",
    "output_mode",
    "max_tokens",
    "pad_to_max_tokens",
    "vocabulary",
    "vocabulary_size",
)
VALUES: tuple[Any, ...] = (
    *(None, True, -1, 0, 2**70, 1e300, float("nan"), "", "x" * 99, [], [[]], [None], {}, {"class_name": 3}),
)
INPUTS = ((), ((None, 4),), ((None, 4, 4, 4, 4),))
POLICIES = (
    "float32",
    "mixed_float16",
    "int8_from_float32",
    "int4/2_from_float32",
    "gptq/4/2_from_float32",
    "awq/4/0_from_",
)

junk = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=4),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=6,
)
likely = st.one_of(
    st.integers(1, 9),
    st.booleans(),
    st.lists(st.integers(-4, 9), max_size=4),
    st.sampled_from(("ab,bc->ac", "...x,xy->...y", "channels_first", "concat", "c", *POLICIES)),
    st.fixed_dictionaries({"class_name": st.sampled_from(("DTypePolicy", "DTypePolicyMap")), "config": junk}),
)
classes = st.sampled_from((*sorted(LAYERS), "Unknown", "Custom>Own", ""))
plain = st.dictionaries(st.sampled_from(KEYS), likely | likely | junk, max_size=12)


def _containing(inner: st.SearchStrategy[dict[str, Any]]) -> st.SearchStrategy[dict[str, Any]]:
    keys: dict[str, st.SearchStrategy[Any]] = {
        "layer": inner | junk,
        "backward_layer": inner,
        "cell": inner,
        "cells": st.lists(inner, max_size=3),
        "layers": st.lists(inner, max_size=3) | junk,
    }
    return _entry(st.builds(lambda own, inner: {**own, **inner}, plain, st.fixed_dictionaries({}, optional=keys)))


def _entry(config: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
    return st.fixed_dictionaries(
        {"class_name": classes, "config": config},
        optional={"build_config": junk, "module": st.just("keras.layers") | junk},
    )


entries = st.recursive(_entry(plain | junk), _containing, max_leaves=5)
shapes = st.none() | st.lists(st.none() | st.integers(0, 9), max_size=5).map(tuple)


def read(entry: Any, inputs: tuple[Any, ...] = ()) -> Part:
    """The part of a config by the table."""
    args = Args.of(entry)
    return part_of(args.class_name, args, inputs)


def tried(entry: Any, inputs: tuple[Any, ...]) -> Part | str:
    """The part of a config by the table, or the message of its error."""
    try:
        return read(entry, inputs)
    except ConfigError as error:
        return str(error)


@settings(max_examples=examples(1500), deadline=None, suppress_health_check=list(HealthCheck))
@given(entries, st.lists(shapes, max_size=3).map(tuple))
def test_junk(entry: dict[str, Any], inputs: tuple[Any, ...]) -> None:
    """Any config and any shapes give a part that has layouts, or a ConfigError with a message."""
    answer = tried(entry, inputs)
    assert answer
    if isinstance(answer, Part):
        in_path_layout(answer)
        in_legacy_order(answer)


@for_each(one_of_each(sorted(LAYERS), lambda name: [LAYERS[name].weights]))
def test_every_argument_junk(class_name: str) -> None:
    """No argument of any layer can be replaced by anything that raises other than ConfigError."""
    good: dict[str, Any] = dict.fromkeys(KEYS, 2) | {
        "dtype": "float32",
        "name": "x",
        "equation": "ab,bc->ac",
        "axis": -1,
    }
    good |= dict.fromkeys(("trainable", "use_bias", "scale", "center", "tie_weights", "use_gate", "renorm"), True)
    good |= {
        "data_format": None,
        "bias_axes": "c",
        "mode": "log",
        "score_mode": "dot",
        "mean": None,
        "output_shape": [2],
    }
    for at, (key, value) in enumerate(itertools.product(KEYS, VALUES)):
        for inputs in INPUTS if is_full() else [INPUTS[at % 3]]:
            assert tried({"class_name": class_name, "config": {**good, key: value}}, inputs)


def wrapped(depth: int, class_name: str = "TimeDistributed") -> dict[str, Any]:
    """A layer in so many wrappers."""
    entry: dict[str, Any] = {"class_name": "Dense", "config": {"units": 2}}
    for _ in range(depth):
        entry = {"class_name": class_name, "config": {"layer": entry}}
    return entry


def test_depth() -> None:
    """Layers may nest 64 deep and no deeper, whatever the depth of the config."""
    assert len(in_path_layout(read(wrapped(MAX_DEPTH)))) == 2
    with pytest.raises(ConfigError, match="nested more than 64 deep"):
        read(wrapped(100_000))


def test_doubling() -> None:
    """Bidirectional in Bidirectional, which would double at each level, is refused at once."""
    entry: dict[str, Any] = {"class_name": "LSTM", "config": {"units": 2}}
    for _ in range(MAX_DEPTH):
        entry = {"class_name": "Bidirectional", "config": {"layer": entry}}
    with Calls() as calls, pytest.raises(ConfigError, match="layer cannot be used"):
        read(entry)
    assert calls.count < 50_000


def test_message() -> None:
    """An error names the layer, the argument, what was expected and what was found."""
    with pytest.raises(ConfigError) as raised:
        read({"class_name": "Dense", "config": {"name": "out", "units": "ten"}})
    error = raised.value
    assert "Dense 'out': units" in str(error)
    assert (error.expected, error.found) == ("a whole number", "'ten'")


def test_foreign_class() -> None:
    """A class that its config places outside Keras is not the built-in one of that name."""
    entry = {"class_name": "Dense", "config": {"units": 2}}
    assert read({**entry, "module": "keras.layers"}).known
    assert not read({**entry, "module": "my.layers"}).known
    assert not read({**entry, "module": None, "registered_name": "my>Dense"}).known


def test_keras_2_spelling() -> None:
    """Keras 2 spells policies and tuples in its own ways, and names no modules."""
    policy = {"class_name": "Policy", "config": {"name": "mixed_float16"}}
    window = {"class_name": "__tuple__", "items": [3, 2]}
    entry = {"class_name": "Conv2D", "config": {"filters": 5, "kernel_size": window, "dtype": policy}}
    kernel, bias = read(entry, ((None, 8, 8, 4),)).slots
    assert (kernel.shape, kernel.dtype, bias.shape) == ((3, 2, 4, 5), "float32", (5,))


def test_policy_map() -> None:
    """A map of policies gives each inner layer its own, by its path with or without the model's name."""
    policies = {
        "default_policy": "float32",
        "policy_map": {
            "model/mine/query": "int8_from_float32",
            "mine/key": {"class_name": "DTypePolicy", "config": {"name": "float16"}},
        },
    }
    config = {
        "name": "mine",
        "num_heads": 2,
        "key_dim": 3,
        "dtype": {"class_name": "DTypePolicyMap", "config": policies},
    }
    part = read({"class_name": "MultiHeadAttention", "config": config}, ((None, 5, 4), (None, 5, 4)))
    kernels = {path: next(slot for slot in inner.slots if slot.name == "kernel") for path, inner in part.children}
    dtypes = [kernels[path].dtype for path in ("query_dense", "key_dense", "value_dense")]
    assert dtypes == ["int8", "float16", "float32"]


def test_a_value_nested_deep_is_shown_short() -> None:
    """The message of an error is short, however deep the value is nested."""
    value: Any = 1
    for _ in range(5000):
        value = [value]
    with pytest.raises(ConfigError) as caught:
        part_of("Dense", Args.of({"class_name": "Dense", "config": {"units": value}}))
    assert len(caught.value.found) < 100
