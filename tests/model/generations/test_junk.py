"""Configs come from strangers: whatever one holds, there is an entry or a ConfigError, in bounded time and depth."""

from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ckpttool.errors import ConfigError
from ckpttool.model.arguments import MAX_DEPTH, Args
from ckpttool.model.generations.generation import Generation, generation_of
from ckpttool.model.generations.keras1 import CHANGES as CHANGES_1
from ckpttool.model.generations.keras2 import CHANGES as CHANGES_2
from ckpttool.model.generations.normalization import normalized
from ckpttool.model.generations.stored_order import stored_order
from ckpttool.model.layers.table import LAYERS, OLD_LAYERS
from ckpttool.model.parts import part_of
from tests.model.generations.cases import ALL
from tests.model.test_layers_junk import junk
from tests.speeds import examples, is_full
from tests.work import Calls

KEYS = sorted(
    {key for table in (CHANGES_1, CHANGES_2) for change in table.values() for key in (*change.renames, *change.dropped)}
    | {"nb_row", "nb_col", "kernel_dim1", "kernel_dim2", "kernel_dim3", "axis", "dot_axes", "concat_axis", "units"}
    | {"batch_input_shape", "input_shape", "query_shape", "dtype", "name", "trainable", "implementation", "strides"}
    | {
        "kernel_initializer",
        "kernel_regularizer",
        "kernel_constraint",
        "data_format",
        "padding",
        "filters",
        "kernel_size",
    }
)
CLASSES = sorted({*LAYERS, *OLD_LAYERS, *CHANGES_1, *CHANGES_2, "Merge", "Unknown", ""})
INNER = ("layer", "backward_layer", "cell", "cells", "layers")

likely = st.one_of(
    st.integers(1, 9),
    st.booleans(),
    st.lists(st.integers(-4, 9), max_size=4),
    st.sampled_from(("th", "tf", "gpu", "sum", "concat", "glorot_uniform", "same", "channels_first")),
    st.fixed_dictionaries({"class_name": st.sampled_from(("Policy", "L2", "VarianceScaling")), "config": junk}),
    st.fixed_dictionaries({"name": st.sampled_from(("MaxNorm", "WeightRegularizer")), "m": junk}),
    st.fixed_dictionaries({"name": junk, "class_name": junk}),
)
plain = st.dictionaries(st.sampled_from(KEYS), likely | likely | junk, max_size=10)


def _entry(config: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    classes = st.sampled_from(CLASSES)
    beside = {"module": st.just("keras.layers") | junk, "inbound_nodes": junk, "build_config": junk}
    old = st.builds(lambda name, rest: {**rest, "name": name}, classes, config | st.just({}))
    return st.fixed_dictionaries({"class_name": classes, "config": config}, optional=beside) | old.filter(bool)


def _holding(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    inner_strategies: dict[str, st.SearchStrategy[Any]] = {
        key: inner | st.lists(inner | junk, max_size=3) | junk for key in INNER
    }
    return _entry(
        st.builds(lambda own, more: {**own, **more}, plain, st.fixed_dictionaries({}, optional=inner_strategies))
    )


entries = st.recursive(_entry(plain), _holding, max_leaves=5)
shapes = st.none() | st.lists(st.none() | st.integers(0, 9), max_size=5).map(tuple)


def tried(entry: Any, generation: Generation, inputs: tuple[Any, ...] = ()) -> Any:
    """The part of an entry after all steps, or the message of the error."""
    try:
        item = normalized(entry, generation)
        args = Args.of(item)
        stored_order(part_of(args.class_name, args, inputs), generation, item)
    except ConfigError as error:
        return str(error)
    return item


@settings(max_examples=examples(1500), deadline=None, suppress_health_check=list(HealthCheck))
@given(entries | junk, st.sampled_from(Generation), st.lists(shapes, max_size=2).map(tuple))
def test_junk(entry: Any, generation: Generation, inputs: tuple[Any, ...]) -> None:
    """Any entry has a generation, and becomes an entry of Keras 3 or a ConfigError."""
    assert generation_of(entry) in Generation
    answer = tried(entry, generation, inputs)
    assert isinstance(answer, dict | str)


VALUES = (None, True, -1, 0, 2**70, 1e300, float("nan"), "", [], [[]], [None], {}, {"class_name": 3}, {"name": []})


def test_every_argument_junk() -> None:
    """No argument of a layer that genuine Keras wrote can be replaced by what raises other than ConfigError."""
    seen = set()
    for case in ALL:
        config = case.entry["config"]
        if (case.version, case.class_name) in seen or not isinstance(config, dict):
            continue
        seen.add((case.version, case.class_name))
        for at, key in enumerate(config):
            for value in VALUES if is_full() else VALUES[at % 3 :: 3]:
                entry = {**case.entry, "config": {**config, key: value}}
                assert tried(entry, case.generation, case.inputs)


@pytest.mark.parametrize("generation", [Generation.KERAS_0, Generation.KERAS_1, Generation.KERAS_2])
@pytest.mark.parametrize("key", ["layer", "layers"])
def test_depth(generation: Generation, key: str) -> None:
    """Layers may nest 64 deep and no deeper, whatever the depth of the config."""
    entry: dict[str, Any] = {"class_name": "Dense", "config": {"units": 2}}
    deep: Any = None
    for depth in range(50_000):
        class_name = "TimeDistributed" if key == "layer" else "Sequential"
        entry = {"class_name": class_name, "config": {key: entry if key == "layer" else [entry]}}
        deep = entry if depth == MAX_DEPTH - 1 else deep
    assert isinstance(normalized(deep, generation), dict)
    with Calls() as calls:
        with pytest.raises(ConfigError, match="nested more than 64 deep"):
            normalized(entry, generation)
        assert generation_of(entry) in Generation
    assert calls.count < 45_000  # a call for each level would be more
    while entry:  # taken apart piece by piece, since Python would do it by recursion
        inner = entry["config"].pop(key, None)
        entry = inner[0] if isinstance(inner, list) else inner


def test_many_layers() -> None:
    """A model of thousands of layers costs no more for each than a small one does."""
    layer = {"class_name": "Convolution2D", "config": {"nb_filter": 3, "nb_row": 3, "nb_col": 3, "init": "zero"}}
    model = {"class_name": "Sequential", "config": [layer] * 2_000}
    with Calls() as calls:
        assert generation_of(model) is Generation.KERAS_1
        assert len(normalized(model, Generation.KERAS_1)["config"]["layers"]) == 2_000
    assert calls.count < 1_000 * 2_000


def test_places_of_locally_connected() -> None:
    """A layer may claim any number of places; how many of them are connected is computed without counting."""
    config = {"filters": 2, "kernel_size": [3], "padding": "same", "implementation": 3, "strides": [1]}
    entry = {"class_name": "LocallyConnected1D", "config": config}
    with Calls() as calls:
        part = part_of("LocallyConnected1D", Args.of(entry), ((None, 10**12, 4),))
    assert part.slots[0].shape == ((3 * 10**12 - 2) * 4 * 2,)
    assert calls.count < 3_000
