"""Discretization, Hashing and lookups of earlier TensorFlow, as live Keras 3 computes what they are converted to."""

import math
from typing import Any

import numpy as np
import pytest

from ckpttool.checkpoint import Section, Weight
from ckpttool.conversion.config.adapted_layers import _boundaries, discretization_config
from ckpttool.conversion.config.changed_semantics import Site
from ckpttool.conversion.config.rewriter import rewrite
from ckpttool.conversion.journal import Journal
from ckpttool.conversion.origin import Origin
from ckpttool.formats.hdf5.values import InMemory
from ckpttool.model.arguments import Args
from ckpttool.model.buildability import buildability_of_keras
from ckpttool.model.generations.generation import Generation
from ckpttool.model.generations.own_classes import marked
from tests.conversion.of_generation import of_generation
from tests.live import keras

pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation")  # of TensorFlow, with NumPy 2


def converted(class_name: str, version: str, **arguments: Any) -> tuple[dict[str, Any], Journal]:
    """The arguments of a layer of Keras 2 in the words of Keras 3, which builds it."""
    inner = {"name": "layer", "trainable": True, "batch_input_shape": [None, 1], **arguments}
    layers = [{"class_name": class_name, "config": inner}]
    journal = Journal()
    config = marked({"class_name": "Sequential", "config": {"name": "m", "layers": layers}}, version)
    new_config = rewrite(of_generation(config, Generation.KERAS_2), journal, origin=Origin(version)).config
    assert not journal.refusals
    return new_config["config"]["layers"][-1]["config"], journal


def test_bins_of_tensorflow_2_4() -> None:
    """Up to 2.4 a value on a boundary belongs to the bin below, and the last boundary is infinite: what genuine
    TensorFlow 2.4 gives for these values is [0, 0, 1, 1, 2, 3]."""
    config, _ = converted("Discretization", "2.4.0", dtype="float32", bins=[0.0, 1.0, 2.0, math.inf])
    layer = keras().layers.Discretization.from_config(config)
    values = np.array([[-1.5], [0.0], [0.5], [1.0], [2.0], [3.4]], "float32")
    assert np.asarray(layer(values)).ravel().tolist() == [0, 0, 1, 1, 2, 3]


def test_bins_of_later_ones() -> None:
    """From 2.5 on it belongs to the bin above, as in Keras 3."""
    config, _ = converted("Discretization", "2.5.0", bins=[0.0, 1.0])
    assert config["bin_boundaries"] == [0.0, 1.0]


@pytest.mark.parametrize(
    ("salt", "expected"), [([0xDECAFCAFFE] * 2, None), ([137, 42], [137, 42]), (None, None)], ids=str
)
def test_salt(salt: Any, expected: Any) -> None:
    """The salt that TensorFlow 2.3 to 2.5 write for none is none; whole numbers are of a type that holds them."""
    config, _ = converted("Hashing", "2.4.0", dtype="float32", num_bins=7, salt=salt)
    assert (config["salt"], config["dtype"]) == (expected, "int64")
    keras().layers.Hashing.from_config(config)


def test_arguments_of_a_lookup() -> None:
    """IntegerLookup had other names for its arguments up to 2.4."""
    old = {"max_values": 9, "mask_value": 0, "oov_value": -1, "num_oov_indices": 1}
    config, _ = converted("IntegerLookup", "2.4.0", dtype="int64", **old)
    assert (config["max_tokens"], config["mask_token"], config["oov_token"]) == (9, 0, -1)
    keras().layers.IntegerLookup.from_config(config)


class Summary:
    """A weight with these values."""

    def __init__(self, values: list[list[float]]) -> None:
        self.values = np.array(values, "float32")

    def read(self) -> np.ndarray:
        """The values."""
        return self.values


@pytest.mark.parametrize("bins", [1, 2, 4, 7, 40, 100])
def test_boundaries(bins: int) -> None:
    """The boundaries are those of `get_bin_boundaries`, which Keras 3 still has as Keras 2.15 had it."""
    from keras.src.layers.preprocessing.discretization import get_bin_boundaries

    rng = np.random.default_rng(bins)
    summary = np.stack([np.sort(rng.normal(size=40)), rng.integers(1, 9, 40)]).astype("float32")
    expected = np.asarray(get_bin_boundaries(summary, bins), "float32").tolist()
    assert _boundaries(Summary(summary.tolist()), bins) == expected  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("arguments", "builds"),
    [({"num_bins": 4}, True), ({"bin_boundaries": [0.0], "num_bins": None}, True), ({"num_bins": None}, False)],
)
def test_bins_are_given(arguments: dict[str, Any], builds: bool) -> None:
    """Keras builds a Discretization of either, and of both as they are once it is adapted."""
    entry = {
        "class_name": "Discretization",
        "config": {"name": "d", **arguments},
        "module": "keras.layers",
        "registered_name": None,
    }
    config = {
        "class_name": "Sequential",
        "config": {"name": "m", "layers": [entry]},
        "module": "keras",
        "registered_name": None,
    }
    assert buildability_of_keras(config).builds is builds


SUMMARY = [[1.0, 2.0, 3.0, 4.0], [1.0, 1.0, 1.0, 1.0]]


def adapted(values: list[list[float]], **arguments: Any) -> tuple[dict[str, Any], Journal]:
    """The arguments for Keras 3 of a Discretization with a summary of data."""
    numbers = np.array(values, "float32")
    weight = Weight("s", numbers.shape, "float32", numbers.nbytes, Section.MODEL, values=InMemory(numbers.tobytes()))
    journal = Journal()
    args = Args("Discretization", {"name": "d", **arguments})
    site = Site("d", args, None, Origin("2.15.0", summaries={"d": weight}))
    return discretization_config(dict(args.config), site, journal), journal


@pytest.mark.parametrize(
    ("bins", "expected"),
    [(2, [2.0]), (3, pytest.approx([4 / 3, 8 / 3])), (4, [1.0, 2.0, 3.0]), (10, [1.0, 2.0, 3.0]), (1, [])],
    ids=str,
)
def test_boundaries_of_a_summary(bins: int, expected: Any) -> None:
    """The data are divided into bins of equal weight; fewer values than bins are the boundaries themselves."""
    config, journal = adapted(SUMMARY, num_bins=bins)
    assert config["bin_boundaries"] == expected
    assert [(edit.edit.name, edit.where, edit.detail) for edit in journal.edits] == [
        ("write-bin-boundaries", "d", f"{bins} bins")
    ]


def test_boundaries_by_weights() -> None:
    """A value that many of the data have weighs more."""
    config, _ = adapted([[1.0, 2.0, 3.0, 4.0], [5.0, 1.0, 1.0, 1.0]], num_bins=2)
    assert config["bin_boundaries"] == [1.0]


@pytest.mark.parametrize("bins", [0, -1, None, "4", 100_001])
def test_bins_that_make_no_sense(bins: Any) -> None:
    """A number of bins that is none, or beyond any use, is refused."""
    config, journal = adapted(SUMMARY, num_bins=bins)
    assert config["bin_boundaries"] is None
    assert [refusal.where for refusal in journal.refusals] == ["d"]
    assert f"num_bins is {bins!r}" in journal.refusals[0].what


def test_a_layer_that_was_never_adapted() -> None:
    """A summary without values is refused; without a summary the arguments stay."""
    config, journal = adapted([[], []], num_bins=3)
    assert config["bin_boundaries"] is None
    assert [refusal.what for refusal in journal.refusals] == [
        "a Discretization that was never adapted, and so has no boundaries"
    ]
    args = Args("Discretization", {"name": "d", "num_bins": 3, "dtype": "int64"})
    config = discretization_config(dict(args.config), Site("d", args, None, Origin()), journal)
    assert config == {"name": "d", "num_bins": 3, "dtype": "float32"}
