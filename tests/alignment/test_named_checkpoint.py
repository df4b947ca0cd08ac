"""Weights are reached by the names that `ls` shows, and values show themselves in a line."""

import ast
from pathlib import Path

import numpy as np
import pytest

import ckpttool
from ckpttool.errors import WeightNotFoundError
from tests.loops import for_each
from tests.samples import FIXTURES, INDEX, of_each_kind

NESTED = FIXTURES / "keras3/nested.keras"
CHECKPOINTS = [
    name
    for name in INDEX
    if not name.startswith("broken/")
    and "npz" not in name
    and "/assets/" not in name
    and (not name.endswith((".json", ".yaml")) or ".weights." in name)
]


def test_layers_and_names() -> None:
    """Layers and weights have the names of the listing, in the order of the file."""
    with ckpttool.open(NESTED) as checkpoint:
        rows = [row for row in ckpttool.ls(NESTED).rows if row.weight.section is ckpttool.Section.MODEL]
        assert {(layer, name) for layer, weights in checkpoint.layers.items() for name in weights} == {
            (row.layer, row.label) for row in rows
        }
        kernel = checkpoint.layers["block/before"]["kernel"]
        assert kernel is checkpoint["layers/sequential_1/layers/dense/vars/0"]
        assert np.asarray(kernel).tolist() == kernel.read().tolist()
        assert np.asarray(kernel, "float64").dtype == np.float64


def test_find() -> None:
    """Globs mean layers, weights, or stored paths; one that matches nothing is an error."""
    with ckpttool.open(NESTED) as checkpoint:
        assert [weight.path for weight in checkpoint.find("verdict")] == ["layers/dense/vars/0", "layers/dense/vars/1"]
        assert [weight.path for weight in checkpoint.find("*/before/bias")] == [
            "layers/sequential_1/layers/dense/vars/1"
        ]
        assert len(checkpoint.find("layers/dense/vars/*", "shared/*")) == 4
        with pytest.raises(WeightNotFoundError, match="no weight matches nothing"):
            checkpoint.find("nothing")
        with pytest.raises(WeightNotFoundError, match="has no weight 'gamma'"):
            checkpoint.layers["verdict"]["gamma"]


def test_names_of_weights_alone() -> None:
    """An architecture names the layers of weights alone."""
    architecture = ckpttool.load_architecture(NESTED)
    with ckpttool.open(FIXTURES / "keras3/nested.weights.h5", architecture) as checkpoint:
        assert "verdict" in checkpoint.layers


@for_each(of_each_kind(CHECKPOINTS))
def test_values_show_themselves_in_a_line(name: str) -> None:
    """No public value of any fixture fills a screen."""
    path = FIXTURES / name
    with ckpttool.open(path) as checkpoint:
        shown = [checkpoint, *list(checkpoint.values())[:3], *list(checkpoint.layers.values())[:3]]
    shown += [ckpttool.ls(path), ckpttool.info(path), ckpttool.check(str(path))]
    for value in shown:
        assert "\n" not in repr(value)
        assert len(repr(value)) < 1000


def test_the_front_door() -> None:
    """Everything that is listed can be had, all errors among it, and type checkers find it in the same modules."""
    import ckpttool.errors as errors

    for name in ckpttool.__all__:
        assert getattr(ckpttool, name).__name__.endswith(name.rpartition(".")[2]) or name in ("Section",)
    exceptions = {
        name for name, value in vars(errors).items() if isinstance(value, type) and issubclass(value, Exception)
    }
    assert exceptions <= set(ckpttool.__all__)
    door = ast.parse(Path(ckpttool.__file__).read_text("utf-8"))
    (block,) = (node for node in door.body if isinstance(node, ast.If))
    assert all(isinstance(node, ast.ImportFrom) for node in block.body)
    typed = [f"{node.module}.{name.name}" for node in block.body for name in node.names if name.name == name.asname]
    assert sorted(typed) == sorted(f"{module}.{name}" for name, module in ckpttool._MODULES.items())
