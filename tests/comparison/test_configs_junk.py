"""Configs come from strangers: whatever two of them hold, what changed is told, in bounded time and depth."""

import itertools
import json
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ckpttool.checkpoint import Producer
from ckpttool.comparison.configs import config_changes, layer_pairs
from ckpttool.comparison.layer_pairs import _aligned
from tests.comparison.configured import Configs, dense, functional, image, layer, nested, sequential, texts
from tests.model.generations.cases import ALL
from tests.model.generations.test_junk import entries
from tests.model.test_layers_junk import junk
from tests.speeds import examples, is_full
from tests.work import Calls

VALUES: tuple[Any, ...] = (
    *(None, True, -1, 0, 2**70, 10**400, 1e300, float("nan"), float("inf"), "", "hard_sigmoid", [], [[]], [None], {}),
    *({"class_name": 3}, {"class_name": "Dense"}, {"class_name": "Dense", "config": 3}, {"name": []}),
    *({"class_name": "__tuple__", "items": 3}, {"class_name": "L2", "config": {"l2": []}}, [{"class_name": "x"}]),
    *({"class_name": "DTypePolicyMap", "config": {"policy_map": {"a": 3}}}, {"class_name": "function", "config": "f"}),
    {"class_name": "VarianceScaling", "config": {"scale": [], "mode": {}, "distribution": None}},
)
COMPILE = ("optimizer", "optimizer_config", "loss", "metrics", "weighted_metrics", "loss_weights", "jit_compile", "x")

names = st.sampled_from(("x", "d", "dense", "dense_1", "dropout", "")) | junk
references = st.tuples(names, st.integers(-1, 2) | junk, st.integers(-1, 2) | junk).map(list)
tensors = st.builds(lambda h: {"class_name": "__keras_tensor__", "config": {"keras_history": h}}, references)
nodes = st.one_of(
    st.fixed_dictionaries(
        {"args": st.lists(tensors | st.lists(tensors, max_size=3) | junk, max_size=3) | junk},
        optional={"kwargs": st.dictionaries(st.sampled_from(("mask", "training", "value")), tensors | junk) | junk},
    ),
    st.lists(references | junk, max_size=3),
    junk,
)


def connected(entry: Any, name: Any, calls: Any) -> Any:
    """An entry of a layer in a graph."""
    return {**entry, "name": name, "inbound_nodes": calls} if isinstance(entry, dict) else entry


def models(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    """Models of layers that are hardly well connected."""
    in_graph = st.builds(connected, inner, names, st.lists(nodes, max_size=2) | junk)
    ends = {"input_layers": references | junk, "output_layers": references | st.lists(references) | junk}
    config = st.fixed_dictionaries(
        {"layers": st.lists(in_graph, max_size=5) | junk}, optional={"name": names, "build_input_shape": junk, **ends}
    )
    classes = st.sampled_from(("Functional", "Sequential", "Model", "Mine", "TimeDistributed"))
    return st.fixed_dictionaries(
        {"class_name": classes, "config": config}, optional={"module": st.sampled_from(("keras", "mine", None))}
    )


whole = st.recursive(entries, models, max_leaves=8)
versions = st.sampled_from((None, "0.3", "1.2.2", "2.15.0", "3.15.1", "tip"))
objects = st.fixed_dictionaries(
    {"class_name": st.sampled_from(("Adam", "Custom>Adam", "MeanMetricWrapper", "LossScaleOptimizer", "AUC", "x"))},
    optional={
        "config": st.dictionaries(st.sampled_from(("lr", "decay", "fn", "name", "inner_optimizer")), junk) | junk
    },
)
settled = st.one_of(objects, st.sampled_from(("mse", "acc", "accuracy", "adam")), junk)
compiled = st.dictionaries(st.sampled_from(COMPILE), settled | st.lists(settled | st.lists(settled, max_size=2))) | junk
sides = st.builds(lambda c, t, v: Configs(c, t, Producer(v)), whole | junk, compiled | st.none(), versions)


@settings(max_examples=examples(800), deadline=None, suppress_health_check=list(HealthCheck))
@given(sides, sides, st.dictionaries(st.sampled_from(("x", "d", "m/d")), st.sampled_from(("x", "dense", "m/x"))))
def test_junk(a: Configs, b: Configs, renamed: dict[str, str]) -> None:
    """Any two configs have changes, which are the same the other way; a config has none with itself."""
    differences = config_changes(a, b)
    assert texts(change.inverted() for change in config_changes(b, a)) == texts(differences)
    assert config_changes(a, a) == ()
    assert {new: old for old, new in layer_pairs(a, b).items()} == dict(layer_pairs(b, a)) or not unique(a, b)
    config_changes(a, b, renamed)


def test_layers_of_one_name() -> None:
    """Changes of connections are the same the other way where layers of a model share a name, too."""

    def model(*entries: tuple[str, Any]) -> Configs:
        layers = [
            {"class_name": "Sequential", "config": {"layers": []}, "name": name, "inbound_nodes": nodes}
            for name, nodes in entries
        ]
        ends = {"input_layers": ["in", 0, 0], "output_layers": ["out", 0, 0]}
        return Configs({"class_name": "Functional", "config": {"layers": layers, **ends}}, None, Producer())

    broken = [[], -0.5]
    a, b = model(("d", None), ("d", broken)), model(("d", []), ("x", broken))
    there, back = config_changes(a, b), config_changes(b, a)
    assert there
    assert texts(change.inverted() for change in back) == texts(there)


units = st.lists(st.sampled_from("abc"), max_size=8)


@settings(max_examples=examples(2000), deadline=None)
@given(units, units)
def test_as_many_pairs_as_can_be(a: list[str], b: list[str]) -> None:
    """Layers of two models that look alike are paired in order, and as many as can be; the same whichever is first."""
    pairs = sorted(_aligned(a, b))
    assert all(a[at] == b[to] for at, to in pairs)
    assert all(at < later and to < further for (at, to), (later, further) in itertools.pairwise(pairs))
    assert len(pairs) == longest(a, b)
    assert sorted((at, to) for to, at in _aligned(b, a)) == pairs


def longest(a: list[str], b: list[str]) -> int:
    """The length of the longest common sequence."""
    lengths = [0] * (len(b) + 1)
    for unit in a:
        before = [*lengths]
        for at, other in enumerate(b):
            lengths[at + 1] = before[at] + 1 if unit == other else max(before[at + 1], lengths[at])
    return lengths[-1]


def test_absent_layers() -> None:
    """A connection to a layer that a model does not have is a change, whichever model is first."""
    a = Configs(functional(image(), dense("dense", "x"), dense("q", "dense")))
    b = Configs(functional(image(), dense("dense_1", "x"), dense("q", "dense")))
    there, back = config_changes(a, b), config_changes(b, a)
    assert len(there) == 1
    assert (there[0].layer, there[0].key, there[0].old, there[0].new) == ("q", "inbound", "dense", "dense")
    assert [change.inverted() for change in back] == [*there]
    assert config_changes(b, b) == ()


pool = st.sampled_from(("x", "a", "b", "dense", "dense_1"))
loose = st.lists(
    st.builds(dense, pool, pool | st.just("absent"))
    | st.builds(layer, st.just("Add"), pool, st.lists(pool | st.just("absent"), min_size=1, max_size=2)),
    min_size=1, max_size=4,
).map(lambda layers: Configs(functional(image(), *layers)))  # fmt: skip


@settings(max_examples=examples(2000), deadline=None)
@given(loose, loose)
def test_loose_references(a: Configs, b: Configs) -> None:
    """Changes are the same the other way where names of layers are repeated, or are those of absent layers."""
    there, back = config_changes(a, b), config_changes(b, a)
    assert texts(change.inverted() for change in back) == texts(there)
    assert config_changes(a, a) == ()


def unique(*configs: Configs) -> bool:
    """Whether no two layers of a config seem to have one name."""
    return all(json.dumps(config.config, default=str).count('"name"') < 2 for config in configs)


@settings(max_examples=examples(300), deadline=None, suppress_health_check=list(HealthCheck))
@given(sides)
def test_copies(side: Configs) -> None:
    """A copy of a config, made by JSON, is the same."""
    copied = json.loads(json.dumps([side.config, side.training_config]))
    assert config_changes(side, Configs(*copied, side.producer)) == ()


def inner(depth: int, kind: str, leaf: Any) -> Any:
    """A layer inside so many others."""
    for at in range(depth):
        below = {"name": f"sequential_{at}", "layers": [leaf, dense(f"dense_{at}"), dense("dropout")]}
        model = {"class_name": "Sequential", "config": below}
        both = {"layer": leaf, "backward_layer": {"class_name": "LSTM", "config": {}}}
        leaf = {
            "wrapper": {"class_name": "TimeDistributed", "config": {"name": "t", "layer": leaf}},
            "model": model,
            "held model": {"class_name": "TimeDistributed", "config": {"layer": model}},
            "both": {"class_name": "Bidirectional", "config": both},
            "list": [leaf],
            "object": {"a": leaf},
        }[kind]
    return leaf


@pytest.mark.parametrize("depth", [20, 60, 230])
@pytest.mark.parametrize("kind", ["wrapper", "model", "held model", "both", "list", "object"])
def test_depth(kind: str, depth: int) -> None:
    """However deep something lies, a change of it is seen, with little work; what is written alike is alike."""
    leaves = (dense("dense_a", activation="linear"), dense("dense_a", activation="relu"))
    entries = [inner(depth, kind, leaf) for leaf in leaves]
    around = [entry if "model" in kind else layer("Mine", "x", held=entry) for entry in entries]
    one, other = (Configs(sequential({**entry, "name": "q"}, dense("z"))) for entry in around)
    with Calls() as calls:
        assert config_changes(one, other)
        assert config_changes(one, one) == ()
    assert calls.count < 1_000_000  # doubled at each level it would be more at a depth of 20


def chain(count: int, name: str = "d", **config: Any) -> Configs:
    """A graph of many layers, one behind the other."""
    layers = [dense(f"{name}{at}", f"{name}{at - 1}" if at else "x", **config) for at in range(count)]
    return Configs(functional(image(), *layers))


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (chain(700), chain(701)),
        (chain(500), chain(500, "e", use_bias=False)),
        (chain(300, "dense_"), chain(301, "dense_1")),
        (Configs(functional(image(), layer("Add", "a", ["x"] * 10_000))), chain(1)),
        (Configs(sequential(layer("Normalization", "n", mean=[0.5] * 200_000))), chain(1)),
    ],
    ids=["long", "renamed", "numbered", "wide", "values"],
)
def test_size(one: Configs, other: Configs) -> None:
    """Models of absurd size are compared with work in proportion."""
    with Calls() as calls:
        assert config_changes(one, other)
        assert config_changes(one, one) == ()
    assert calls.count < 1_000_000


def test_circles_and_gaps() -> None:
    """Layers that feed each other, layers that are not there, and two of one name are compared all the same."""
    circle = functional(image(), dense("a", "b"), dense("b", "a"))
    gap = functional(image(), dense("a", "gone"), dense("b", "a"))
    twice = functional(image(), dense("a", "x"), dense("a", "x", units=4), nested(circle, "a"))
    configs = [*map(Configs, (circle, gap, twice))]
    for one in configs:
        for other in configs:
            assert bool(config_changes(one, other)) is (one is not other)


def test_every_argument_junk() -> None:
    """No argument of a layer that genuine Keras wrote can be replaced by what is not compared."""
    seen, parts = set(), 5 if is_full() else 10
    for case in ALL:
        config = case.entry["config"]
        if (case.version, case.class_name) in seen or not isinstance(config, dict):
            continue
        seen.add((case.version, case.class_name))
        for at, key in enumerate(config):
            sides = [Configs({**case.entry, "config": {**config, key: value}}) for value in VALUES[at % parts :: parts]]
            for one, other in itertools.pairwise(sides):
                back = config_changes(other, one)
                assert texts(config_changes(one, other)) == texts(change.inverted() for change in back)
