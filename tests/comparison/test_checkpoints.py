"""The laws of diffs, on generated checkpoints, and the diffs of files of every format and generation."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import ckpttool
from ckpttool.alignment.architectures import load_architecture
from ckpttool.comparison import Diff, Evidence, Scope, Tolerance, diff
from ckpttool.errors import CorruptFileError
from tests.comparison.checkpoints import checkpoint, dense, models
from tests.loops import for_each
from tests.samples import FIXTURES, TRUE_FILES
from tests.speeds import examples

EVERYTHING = Scope()


def of(a: dict[str, dict[str, np.ndarray]], b: dict[str, dict[str, np.ndarray]], scope: Scope = EVERYTHING) -> Diff:
    """The diff of two models."""
    return diff(checkpoint(a), checkpoint(b, name="n.h5"), scope)


def of_files(a: str, b: str, scope: Scope = EVERYTHING) -> Diff:
    """The diff of two files among the fixtures."""
    with ckpttool.open(FIXTURES / a) as one, ckpttool.open(FIXTURES / b) as other:
        return diff(one, other, scope)


def moves(result: Diff) -> dict[str, str]:
    """The layers with another name."""
    return {move.layer: move.new_layer for move in result.moves}


@given(models())
def test_nothing_changed_from_itself(model: dict[str, dict[str, np.ndarray]]) -> None:
    """diff(a, a) is empty."""
    result = of(model, model)
    assert (result.differences, result.changed, result.moves, result.added, result.removed) == (
        frozenset(),
        (),
        (),
        (),
        (),
    )
    assert len(result.pairs) == 2 * len(model)
    assert result.is_complete


@settings(max_examples=examples(300))
@given(models(), models())
def test_inverted(a: dict[str, dict[str, np.ndarray]], b: dict[str, dict[str, np.ndarray]]) -> None:
    """diff(a, b) inverted is diff(b, a)."""
    forth, back = of(a, b), of(b, a)
    inverted = forth.inverted()
    assert set(inverted.pairs) == set(replace(back, a=inverted.a, b=inverted.b).pairs)
    assert (set(inverted.added), set(inverted.removed)) == (set(back.added), set(back.removed))
    assert moves(inverted) == moves(back)
    assert inverted.differences == back.differences


@settings(max_examples=examples(200))
@given(models(), models())
def test_every_weight_is_listed_once(a: dict[str, dict[str, np.ndarray]], b: dict[str, dict[str, np.ndarray]]) -> None:
    """Each weight of either side is in one pair or has no partner; pairs of unequal shapes are not compared."""
    result = of(a, b)
    ours, theirs = ([f"{layer}/{label}" for layer in side for label in side[layer]] for side in (a, b))
    assert sorted([pair.a.path for pair in result.pairs] + [unit.path for unit in result.removed]) == sorted(ours)
    assert sorted([pair.b.path for pair in result.pairs] + [unit.path for unit in result.added]) == sorted(theirs)
    for pair in result.pairs:
        assert (pair.comparison is None) == (pair.a.shape != pair.b.shape)


@given(models(), st.data())
def test_a_renamed_layer_is_one_move(model: dict[str, dict[str, np.ndarray]], data: st.DataObject) -> None:
    """A layer under a new name is one move, not a removal and an addition, where its values tell it from the others."""
    name = data.draw(st.sampled_from(sorted(model)))
    alike = [other for other in model if {k: v.tobytes() for k, v in model[other].items()} ==
             {k: v.tobytes() for k, v in model[name].items()}]  # fmt: skip
    if len(alike) > 1 or not any(array.size > 1 and array.min() != array.max() for array in model[name].values()):
        return
    result = of(model, {("quite_new" if layer == name else layer): weights for layer, weights in model.items()})
    assert moves(result) == {name: "quite_new"}
    assert (result.changed, result.added, result.removed) == ((), (), ())
    assert result.differences == {"structure"}


@given(st.permutations(range(5)))
def test_a_permutation_is_named(order: list[int]) -> None:
    """Layers of equal shapes that have changed places are found by what they hold."""
    model = {f"layer_{at}": dense(at) for at in range(5)}
    result = of(model, {f"layer_{at}": dense(source) for at, source in enumerate(order)})
    assert moves(result) == {f"layer_{source}": f"layer_{at}" for at, source in enumerate(order) if at != source}
    assert all(move.swapped and move.evidence is Evidence.CONTENT for move in result.moves)
    assert result.changed == ()


def test_one_step_is_seen() -> None:
    """A change of one element to the next number is seen exactly, and not by a tolerance that allows it."""
    model, other = {"a": dense(1)}, {"a": dense(1)}
    other["a"]["kernel"][1, 2] = np.nextafter(other["a"]["kernel"][1, 2], np.float32(9))
    result = of(model, other)
    assert [pair.a.name for pair in result.changed] == ["a/kernel"]
    assert result.changed[0].comparison is not None
    assert (result.changed[0].comparison.changed, result.changed[0].comparison.max_ulp) == (1, 1)
    assert of(model, other, Scope(Tolerance(rtol=1e-6))).differences == frozenset()


def test_numbers_that_keras_gives() -> None:
    """Layers that merely have other numbers go together in order, trained on or not."""
    model = {"dense": dense(1), "dense_1": dense(2), "conv": dense(3, 5)}
    result = of(model, {"dense_7": dense(5), "dense_8": dense(6), "conv_3": dense(3, 5)})
    assert moves(result) == {"dense": "dense_7", "dense_1": "dense_8", "conv": "conv_3"}
    assert {pair.a.layer for pair in result.changed} == {"dense", "dense_1"}
    assert (result.added, result.removed) == ((), ())


def test_a_layer_put_in_between() -> None:
    """A new layer that shifts the numbers of those behind it is the one that was added."""
    model = {"dense": dense(1), "dense_1": dense(2), "dense_2": dense(3)}
    result = of(model, {"dense": dense(1), "dense_1": dense(9), "dense_2": dense(2), "dense_3": dense(3)})
    assert moves(result) == {"dense_1": "dense_2", "dense_2": "dense_3"}
    assert {unit.layer for unit in result.added} == {"dense_1"}
    assert (result.changed, result.removed) == ((), ())


def test_renamed_and_changed() -> None:
    """A layer that has a new name and slightly other values is told as both; one of other values as added."""
    near = {label: array * np.float32(1.001) for label, array in dense(1).items()}
    result = of({"old": dense(1)}, {"new": near})
    assert [(move.layer, move.new_layer, move.evidence) for move in result.moves] == [("old", "new", Evidence.LIKENESS)]
    assert len(result.changed) == 2
    other = of({"old": dense(1)}, {"new": dense(2)})
    assert (moves(other), len(other.added), len(other.removed)) == ({}, 2, 2)


def test_reshaped_and_retyped() -> None:
    """Another shape is no comparison, another dtype is compared in the wider one."""
    result = of({"a": dense(1)}, {"a": dense(1, units=5)})
    assert {pair.a.label for pair in result.reshaped} == {"kernel", "bias"}
    assert all(pair.comparison is None for pair in result.pairs)
    half = of(
        {"a": dense(1, dtype="float16")}, {"a": {k: v.astype("float32") for k, v in dense(1, dtype="float16").items()}}
    )
    assert {pair.a.label for pair in half.retyped} == {"kernel", "bias"}
    assert (half.changed, half.differences) == ((), {"structure"})


def test_nothing_broadcasts() -> None:
    """Shapes that could be broadcast to each other are unequal."""
    result = of({"a": {"w": np.zeros((1, 3), "float32")}}, {"a": {"w": np.zeros((3,), "float32")}})
    assert len(result.reshaped) == 1
    assert result.total.count == 0


def test_match() -> None:
    """Only what a glob means is compared, by layer, weight or path; configs are not."""
    model, other = {"a": dense(1), "b": dense(2)}, {"a": dense(1), "b": dense(3)}
    assert of(model, other, Scope(match=("a",))).differences == frozenset()
    assert [pair.a.name for pair in of(model, other, Scope(match=("b/bias",))).pairs] == ["b/bias"]
    nothing = of(model, other, Scope(match=("c",)))
    assert not nothing.is_complete


def test_an_unreadable_weight() -> None:
    """A weight that cannot be read is told, and the others are compared all the same."""

    class Broken:
        def pieces(self, limit: int) -> object:
            raise CorruptFileError("the values are damaged")

    a, b = checkpoint({"a": dense(1), "b": dense(2)}), checkpoint({"a": dense(1), "b": dense(3)})
    weights = {**b.weights, "a/bias": replace(b.weights["a/bias"], values=Broken())}
    result = diff(a, replace(b, weights=weights))
    assert [(pair.a.name, pair.problem) for pair in result.unreadable] == [("a/bias", "the values are damaged")]
    assert {pair.a.name for pair in result.changed} == {"b/kernel", "b/bias"}
    assert not result.is_complete


SAME_MODELS = [
    ("keras3/mlp.keras", "keras3/mlp.h5"),
    ("keras3/mlp.keras", "keras3/mlp.weights.h5"),
    ("keras3/nested.keras", "keras3/nested.h5"),
    ("keras3/nested.weights.h5", "keras3/nested.h5"),
    ("keras3/cnn.keras", "keras3/cnn.h5"),
    ("keras3/wrappers.keras", "keras3/wrappers.h5"),
    ("keras3/wrappers.weights.h5", "keras3/wrappers.h5"),
    ("keras2.15/mlp.keras", "keras2.15/mlp.h5"),
    ("keras2.15/mlp.weights.h5", "keras2.15/mlp.h5"),
    ("keras2.15/nested.keras", "keras2.15/nested.h5"),
    ("keras2.15/wrappers.keras", "keras2.15/wrappers.h5"),
    ("keras2.15/cnn.keras", "keras2.15/cnn.h5"),
]


@pytest.mark.parametrize(("a", "b"), SAME_MODELS)
def test_formats(a: str, b: str) -> None:
    """One model in two formats is the same, weight by weight and in its config; both ways round."""
    for one, other in ((a, b), (b, a)):
        result = of_files(one, other)
        assert result.differences == frozenset(), (result.settings, result.removed, result.added, result.moves)
        assert result.pairs
        assert result.is_complete


@for_each([name for name in TRUE_FILES if "npz" not in name])
def test_each_fixture_is_itself(name: str) -> None:
    """No checkpoint of any generation differs from itself, its optimizer included."""
    result = of_files(name, name, Scope(optimizer=True))
    assert result.differences == frozenset()
    assert result.is_complete


def test_weights_alone_by_an_architecture() -> None:
    """Two layouts without any config go together by the architecture that is given, else by names and order."""
    files = "keras2.15/mlp.weights.h5", "keras2.15/mlp_weights.h5"
    scope = Scope(architecture=load_architecture(FIXTURES / "keras2.15/mlp.json"))
    result = of_files(*files, scope)
    assert {pair.evidence for pair in result.pairs} == {Evidence.SLOT}
    assert result.differences == frozenset()


def test_the_state_of_the_optimizer() -> None:
    """The state is reported, and is a difference only where the scope includes it."""
    files = "keras3/mlp.keras", "keras2.15/mlp.keras"
    reported, counted = of_files(*files), of_files(*files, Scope(optimizer=True))
    assert reported.state is not None
    assert reported.state.class_names == ("Adam", "Adam")
    assert "optimizer" not in reported.differences
    assert "optimizer" in counted.differences
