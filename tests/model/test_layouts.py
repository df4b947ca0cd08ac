"""Slots in the layout of `.weights.h5`: what genuine Keras calls each weight, told by the class of its layer alone."""

from typing import Any

import pytest

import ckpttool
from ckpttool.inspection.listing import Choice, list_checkpoint
from ckpttool.model import read_architecture
from ckpttool.model.sizes import shapes_fit
from ckpttool.model.spec import spec_of
from tests.samples import FIXTURES, TRUTH

PATH_LAYOUT = [
    name for name in TRUTH["files"] if name.endswith(".keras") and "npz" not in name and "h5_named" not in name
]

# Layers of classes that are none of Keras's: their weights are known by number.
OPAQUE = {"keras3/odd.keras": {"odd"}}
# Slots have the names of Keras 3; what Keras 2 called otherwise.
RENAMED = {"depthwise_kernel": "kernel"}


def called(fixture: str) -> dict[str, set[str]]:
    """The names that Keras has for the weights of a fixture's model, by checksum (equal content may have several
    names)."""
    names: dict[str, set[str]] = {}
    for weight in TRUTH["models"][TRUTH["files"][fixture]]["weights"]:
        name = weight["name"].removesuffix(":0").rpartition("/")[2]
        names.setdefault(weight["sha256"], set()).update({name, RENAMED.get(name, name)})
    return names


@pytest.mark.parametrize("name", PATH_LAYOUT)
def test_every_weight_is_called_what_keras_calls_it(name: str) -> None:
    """Each weight of a built-in layer has the name that it had in the live model that wrote the file."""
    truth = called(name)
    with ckpttool.open(FIXTURES / name) as checkpoint:
        listing = list_checkpoint(checkpoint, Choice(frozenset({ckpttool.Section.MODEL}), sha256=True))
    unnamed = {row.layer for row in listing.rows if row.slot is None}
    assert unnamed == OPAQUE.get(name, set())
    for row in listing.rows:
        assert row.slot is None or row.slot in truth[row.sha256 or ""], row.weight.path


@pytest.mark.parametrize(
    "entry",
    [
        {"class_name": "Mine", "config": {"name": "a", "units": 3}},
        {"class_name": "Dense", "module": "mine", "config": {"name": "a", "units": 3}, "registered_name": "mine>Dense"},
    ],
)
def test_an_unknown_class_has_no_slots(entry: dict[str, Any]) -> None:
    """Of a class that is not in the table, or not Keras's own, nothing is claimed."""
    architecture = read_architecture({"class_name": "Sequential", "config": {"name": "m", "layers": [entry]}})
    assert architecture is not None
    spec = spec_of(architecture)
    assert (spec.slots, [opaque.layer for opaque in spec.opaque]) == ((), ["a"])


@pytest.mark.parametrize(
    ("expected_shape", "shape", "fits"),
    [
        ((3, 4), (3, 4), True),
        ((None, 4), (9, 4), True),
        (None, (1, 2, 3), True),
        ((3, 4), (4, 3), False),
        ((3, 4), (3,), False),
        ((), (), True),
        ((), (1,), False),
    ],
)
def test_shapes_fit(expected_shape: tuple[int | None, ...] | None, shape: tuple[int, ...], fits: bool) -> None:
    """An array fits an expected shape when they agree on every axis that is known."""
    assert shapes_fit(expected_shape, shape) is fits
