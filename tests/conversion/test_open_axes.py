"""Open axes of inputs, whose sizes the means of a Normalization tell."""

from types import SimpleNamespace
from typing import Any

import pytest

from ckpttool.conversion.config.open_axes import with_known_sizes
from ckpttool.conversion.journal import Journal
from ckpttool.model import Architecture, read_architecture


def layer(class_name: str, name: str, **config: Any) -> dict[str, Any]:
    """A layer as Keras 2 wrote it."""
    return {"class_name": class_name, "name": name, "config": {"name": name, **config}}


def sequential(*layers: dict[str, Any]) -> Architecture:
    """A Sequential model."""
    read = read_architecture({"class_name": "Sequential", "config": {"name": "m", "layers": list(layers)}})
    assert read is not None
    return read


def means(**shapes: tuple[int, ...]) -> Any:
    """An alignment in which Normalizations of these names have means of these shapes."""
    aligned = [
        SimpleNamespace(
            place=SimpleNamespace(layer=name, slot=SimpleNamespace(name="mean")),
            stored=[SimpleNamespace(weight=SimpleNamespace(shape=shape))],
        )
        for name, shape in shapes.items()
    ]
    return SimpleNamespace(aligned=aligned)


def shapes_of(before: Architecture, alignment: Any) -> tuple[list[Any], list[str]]:
    """The shapes of the layers that state one, and the layers that were edited."""
    journal = Journal()
    layers = with_known_sizes(before, alignment, journal).config["config"]["layers"]
    shapes = [entry["config"]["batch_input_shape"] for entry in layers if "batch_input_shape" in entry["config"]]
    assert {edit.edit.name for edit in journal.edits} <= {"state-axis"}
    return shapes, [edit.where for edit in journal.edits]


def test_the_input_before_it_gains_the_size() -> None:
    """The last axis is as long as the mean; axes that are known stay."""
    model = sequential(
        layer("InputLayer", "x", batch_input_shape=[None, 5, None]),
        layer("Normalization", "norm", axis=-1),
        layer("Dense", "out", units=1),
    )
    assert shapes_of(model, means(norm=(3,))) == ([[None, 5, 3]], ["x"])


def test_its_own_shape_gains_the_size() -> None:
    """A Normalization that comes first states the shape itself; sizes go to its axes in their order."""
    model = sequential(layer("Normalization", "norm", axis=[-1, 1], batch_input_shape=[None, None, None]))
    assert shapes_of(model, means(norm=(4, 3))) == ([[None, 4, 3]], ["norm"])


def test_the_input_of_a_call_gains_the_size() -> None:
    """In a graph the input is the one that the call names."""
    norm = {**layer("Normalization", "norm"), "inbound_nodes": [[["b", 0, 0, {}]]]}
    inputs = [{**layer("InputLayer", name, batch_input_shape=[None, None]), "inbound_nodes": []} for name in "ab"]
    ends = {"input_layers": [["a", 0, 0], ["b", 0, 0]], "output_layers": [["norm", 0, 0]]}
    read = read_architecture({"class_name": "Functional", "config": {"name": "m", "layers": [*inputs, norm], **ends}})
    assert read is not None
    assert shapes_of(read, means(norm=(7,))) == ([[None, None], [None, 7]], ["b"])


@pytest.mark.parametrize(
    ("first", "axis", "mean"),
    [
        (layer("InputLayer", "x", batch_input_shape=[None, 3]), -1, (3,)),
        (layer("InputLayer", "x", batch_input_shape=[None, None]), 5, (3,)),
        (layer("InputLayer", "x", batch_input_shape=[None, None]), -1, (3, 2)),
        (layer("InputLayer", "x", batch_input_shape=[None, None]), "last", (3,)),
        (layer("InputLayer", "x"), -1, (3,)),
        (layer("Dense", "x", units=2, batch_input_shape=[None, None]), -1, (3,)),
    ],
    ids=str,
)
def test_others_stay(first: dict[str, Any], axis: Any, mean: tuple[int, ...]) -> None:
    """Nothing changes in shapes that are known, by axes that do not fit the mean, or behind another layer."""
    model = sequential(first, layer("Normalization", "norm", axis=axis))
    journal = Journal()
    assert with_known_sizes(model, means(norm=mean), journal) is model
    assert with_known_sizes(model, means(), journal) is model
    assert not journal.edits
