"""Weights are reached by the names that `ls` shows."""

import numpy as np
import pytest

import ckpttool
from ckpttool.errors import WeightNotFoundError
from tests.samples import FIXTURES

NESTED = FIXTURES / "keras3/nested.keras"


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
        with pytest.raises(KeyError, match=r"nested\.keras: no layer with weights is called 'verdic'") as raised:
            checkpoint.layers["verdic"]
        assert "did you mean 'verdict'?" in str(raised.value)
        assert "verdic" not in checkpoint.layers


def test_names_of_weights_alone() -> None:
    """An architecture names the layers of weights alone."""
    architecture = ckpttool.load_architecture(NESTED)
    with ckpttool.open(FIXTURES / "keras3/nested.weights.h5", architecture) as checkpoint:
        assert "verdict" in checkpoint.layers
