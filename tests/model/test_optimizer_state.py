"""The variables of optimizers as configs name them, without Keras: rules for each weight, optimizers inside others, and
what is too uncertain to expect. test_optimizers.py compares with live Keras.
"""

from typing import Any

import pytest

from ckpttool.model.optimizers import OPTIMIZERS, OUTER_OPTIMIZERS, Trained, optimizer_state

WEIGHT = [Trained("a/kernel", (2, 3), "float32", "a/kernel", ("top",))]


@pytest.mark.parametrize("optimizer", [None, 3, {}, [], "own", {"class_name": "Own", "config": {}}])
def test_no_optimizer_that_is_known(optimizer: Any) -> None:
    """Without an optimizer that is known nothing is expected."""
    assert optimizer_state(optimizer, WEIGHT) == {}


def entry(class_name: str, **config: Any) -> dict[str, Any]:
    """An optimizer as a config names it."""
    return {"class_name": class_name, "config": config}


UNKNOWN = {
    "a regular expression": entry("Muon", exclude_layers=["(a+)+$"]),
    "the name of the model": entry("Muon", exclude_layers=["top"]),
    "no list": entry("Muon", exclude_layers="out"),
    "no pattern": entry("Muon", exclude_layers=[3]),
    "too many patterns": entry("Muon", exclude_layers=["x"] * 3_000_000),
    "nothing inside": entry("LossScaleOptimizer"),
    "an own one inside": entry("LossScaleOptimizer", inner_optimizer=entry("Own")),
    "no map": entry("MultiOptimizer", optimizer_map=entry("Adam")),
    "no default": entry("MultiOptimizer", optimizer_map=entry("OptimizerMap", optimizer_map={})),
    "two that match": entry(
        "MultiOptimizer",
        optimizer_map=entry(
            "OptimizerMap",
            default_optimizer=entry("Adam"),
            optimizer_map={".*a/.*": entry("Adam"), ".*kernel": entry("SGD")},
        ),
    ),
}


@pytest.mark.parametrize("name", UNKNOWN)
def test_uncertain_state(name: str) -> None:
    """An optimizer whose variables are not certain has no state in a spec."""
    assert optimizer_state(UNKNOWN[name], WEIGHT) == {}


def test_optimizers_inside_each_other_without_end() -> None:
    """A few levels are followed, no more: each repeats the variables of the ones inside."""
    deep = entry("Adam")
    for _ in range(60):
        deep = entry("LossScaleOptimizer", inner_optimizer=deep)
    assert optimizer_state(deep, WEIGHT) == {}


@pytest.mark.parametrize("value", ["x", [1], {"a": 1}, True, -3, 1e400, None])
@pytest.mark.parametrize("name", sorted((*OPTIMIZERS, *OUTER_OPTIMIZERS)))
def test_junk(name: str, value: Any) -> None:
    """Any value in the place of settings gives scalars alone for a model without weights."""
    switches = ("momentum", "centered", "amsgrad", "use_ema", "gradient_accumulation_steps", "exclude_layers")
    objects = ("exclude_embeddings", "inner_optimizer", "optimizer_map")
    state = optimizer_state(entry(name, **dict.fromkeys((*switches, *objects), value)), [])
    assert all(variable.shape == () for variables in state.values() for variable in variables)


TRAINED = [
    Trained("tokens/embeddings", (7, 6), "float32", "tokens/embeddings"),
    Trained("a/kernel", (2, 3), "float32", "a/kernel"),
    Trained("a/bias", (3,), "float32", "a/bias"),
    Trained("conv/kernel", (3, 3, 2, 4), "float32", "conv/kernel"),
]
"""An embedding, a matrix, a vector and a kernel with four axes."""


def own(optimizer: Any, weights: list[Trained] = TRAINED) -> list[tuple[str, Any]]:
    """The names and shapes of the variables of an optimizer, behind iteration and learning rate."""
    variables = [(variable.name, variable.shape) for variable in optimizer_state(optimizer, weights)[""]]
    assert variables[:2] == [("iteration", ()), ("learning_rate", ())]
    return variables[2:]


def test_adafactor_factors_matrices() -> None:
    """Adafactor keeps a row and a column of a weight with two axes or more, and unused numbers for a vector."""
    assert own(entry("Adafactor"))[3:] == [
        ("a/kernel/r", (2,)),
        ("a/kernel/c", (3,)),
        ("a/kernel/velocity", (2, 3)),
        ("a/bias/r", ()),
        ("a/bias/c", ()),
        ("a/bias/velocity", (3,)),
        ("conv/kernel/r", (3, 3, 2)),
        ("conv/kernel/c", (3, 3, 4)),
        ("conv/kernel/velocity", (3, 3, 2, 4)),
    ]
    dtypes = {variable.name: variable.dtype for variable in optimizer_state(entry("Adafactor"), TRAINED)[""]}
    assert (dtypes["a/bias/r"], dtypes["a/kernel/r"]) == ("int32", "float32")
    assert own(entry("Adafactor"), [Trained("own/w", None, "float32", "own/w")])[0] == ("own/w/r", None)


def names_with_velocity(**config: Any) -> list[str]:
    """The weights that Muon leaves to AdamW."""
    names = [name for name, _ in own(entry("Muon", **config))]
    return [name.removesuffix("/velocity") for name in names if name.endswith("/velocity")]


def test_muon_takes_matrices() -> None:
    """Muon leaves to AdamW all that are no matrices, embeddings unless these are wanted, and what patterns name."""
    assert names_with_velocity() == ["tokens/embeddings", "a/bias", "conv/kernel"]
    assert names_with_velocity(exclude_embeddings=False) == ["a/bias", "conv/kernel"]
    assert names_with_velocity(exclude_layers=["a/.*l"]) == ["tokens/embeddings", "a/kernel", "a/bias", "conv/kernel"]
    assert names_with_velocity(exclude_layers=["nowhere"]) == ["tokens/embeddings", "a/bias", "conv/kernel"]
    assert optimizer_state(entry("Muon"), [Trained("own/w", None, "float32", "own/w")]) == {}


def test_accumulated_gradients() -> None:
    """A step of several batches keeps the sum of the gradients of each weight, ahead of the optimizer's own."""
    weights = TRAINED[1:3]
    assert own(entry("SGD", gradient_accumulation_steps=2, momentum=0.9), weights) == [
        ("a/kernel/gradient_accumulator", (2, 3)),
        ("a/bias/gradient_accumulator", (3,)),
        ("a/kernel/momentum", (2, 3)),
        ("a/bias/momentum", (3,)),
    ]


def mapped(default: Any, **optimizers: Any) -> dict[str, Any]:
    """A MultiOptimizer whose optimizers are those of the layers of these names."""
    patterns = {f".*{layer}/.*": optimizer for layer, optimizer in optimizers.items()}
    return entry(
        "MultiOptimizer", optimizer_map=entry("OptimizerMap", default_optimizer=default, optimizer_map=patterns)
    )


def test_optimizers_for_some_layers() -> None:
    """A MultiOptimizer lists the variables of its optimizers, each for its own layers, and stores each a second time;
    two of a class are numbered, and one without a layer is not built."""
    sgd = entry("SGD", momentum=0.5)
    state = optimizer_state(mapped(sgd, a=sgd, nowhere=entry("Nadam")), TRAINED[1:])
    places = ["", "optimizers/sgd", "optimizers/nadam", "optimizers/sgd_1"]
    assert list(state) == places
    base = ["iteration", "learning_rate"]
    names = {place: [variable.name for variable in variables] for place, variables in state.items()}
    assert names["optimizers/sgd"] == [*base, "a/kernel/momentum", "a/bias/momentum"]
    assert names["optimizers/nadam"] == base
    assert names["optimizers/sgd_1"] == [*base, "conv/kernel/momentum"]
    assert names[""] == [*base, *(f"{place}/{name}" for place in places[1:] for name in names[place])]


def test_a_name_is_no_pattern() -> None:
    """A weight whose path is a key of the map has that optimizer, whatever pattern matches it, too."""
    multi = mapped(entry("Nadam"), a=entry("SGD"))
    multi["config"]["optimizer_map"]["config"]["optimizer_map"]["a/bias"] = entry("Adagrad")
    state = optimizer_state(multi, TRAINED[1:3])
    assert [variable.name for variable in state["optimizers/adagrad"]][2:] == ["a/bias/accumulator"]


def test_a_scaled_optimizer_is_no_optimizer_for_some_layers() -> None:
    """An optimizer with another inside cannot be one of several."""
    scaled = entry("LossScaleOptimizer", inner_optimizer=entry("Adam"))
    assert optimizer_state(mapped(entry("Adam"), a=scaled), TRAINED) == {}


def test_a_momentum_that_is_no_number() -> None:
    """A momentum of text is none that Keras would take, so nothing is expected."""
    assert optimizer_state(entry("SGD", momentum="much"), TRAINED) == {}
