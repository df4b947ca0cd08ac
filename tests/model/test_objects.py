"""The objects of a live model: of built-in layers those of the config, of a user's own those that Keras saves."""

import dataclasses
import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import ckpttool
from ckpttool import Architecture
from ckpttool.alignment.alignment import align
from ckpttool.errors import ModelError
from ckpttool.model import read_architecture
from ckpttool.model.live.serialization import from_json as read_live
from ckpttool.model.live.serialization import to_json as write_live
from ckpttool.model.spec import Spec, from_json, spec_of, to_json
from tests.live import keras as live_keras
from tests.verification import own, stored
from tests.verification.sources import SOURCES
from tests.verification.trees import built

keras: Any = live_keras()
pytestmark = pytest.mark.filterwarnings("ignore")
OWN = [f"{name}/{variant}" for name, variants in own.VARIANTS.items() for variant in variants]
UNALIGNED = ("layers/odd/", "second_optimizer/", "chance/", "noise/")  # in no place of the path layout, or no weights
BUILT = sorted(set(SOURCES) - {"compiled", "half-trained"})


@pytest.mark.parametrize("name", BUILT)
def test_built_in_layers(name: str) -> None:
    """A live model of built-in layers has the spec of its config; it does not count inputs among its layers, and it
    knows more objects without weights."""
    source = SOURCES[name]
    model = built(keras, source.tree, source.shape)
    architecture, live = read_architecture(json.loads(model.to_json())), Architecture.from_model(model)
    assert architecture is not None
    inputs = {layer.name for layer in architecture.layers if layer.class_name == "InputLayer"}
    assert _without(spec_of(live), inputs) == _without(spec_of(architecture), inputs)
    assert {path for path in spec_of(architecture).empty if "input_layer" not in path} <= set(spec_of(live).empty)
    assert [(layer.path, layer.place, layer.class_name, layer.trainable) for layer in live.layers] == [
        (layer.path, layer.place, layer.class_name, layer.trainable) for layer in architecture.layers
    ]


def _without(spec: Spec, inputs: set[str]) -> Spec:
    """A spec without what only one of the two tells."""
    layers = tuple(layer for layer in spec.layers if layer not in inputs)
    return dataclasses.replace(spec, layers=layers, empty=(), aliases=None)


def test_inputs_of_a_sequential() -> None:
    """The InputLayer that Keras adds to a Sequential is not among its listed layers, as in a config."""
    model = keras.Sequential([keras.layers.Dense(3)])
    model.build((None, 2))
    part = Architecture.from_model(model).part
    assert part is not None
    assert [(layer.class_name, layer.listed) for _, layer in part.children] == [("Dense", True), ("InputLayer", False)]


@pytest.mark.parametrize("case", OWN)
def test_own_classes(case: str, tmp_path: Path) -> None:
    """Every weight of a user's own model is stored where its architecture says, in `.weights.h5` and in legacy files;
    its spec is the same after it was written and read."""
    name, variant = case.split("/")
    model = own.build(keras, name, variant)
    stored.distinct(model, 1)
    architecture = Architecture.from_model(model)
    spec = spec_of(architecture)
    assert from_json(json.loads(to_json(spec))) == spec
    for form in ("weights", "root"):
        file = stored.save(model, tmp_path, form)
        with ckpttool.open(file.path) as checkpoint:
            alignment = align(checkpoint, architecture)
        assert all(weight.path.startswith(UNALIGNED) for weight in alignment.left)
        assert not [place for place in alignment.missing if place.slot.stored]
        for aligned in alignment.aligned:
            key = file.book[aligned.stored[0].weight.path].key
            assert key[1] == aligned.place.slot.name
            assert key[0].rpartition("/")[2] in aligned.place.layer.split("/") + aligned.place.name.split("/")


def test_a_layer_that_two_attributes_hold() -> None:
    """It has its first place, in the order of names; the others are those where Keras looks next."""

    class Twice(keras.Model):  # type: ignore[misc, name-defined]
        def __init__(self) -> None:
            super().__init__()
            self.second = keras.layers.Dense(2)
            self.first, self.more = self.second, [keras.layers.Dropout(0.1), self.second]

        def call(self, x: Any) -> Any:
            return self.more[0](self.second(x))

    model = Twice()
    model(np.ones((1, 3)))
    part = Architecture.from_model(model).part
    assert part is not None
    places = {at: (layer.class_name, set(layer.aliases)) for at, layer in part.children}
    assert places["first"] == ("Dense", {"layers/dense", "more/dense", "second"})
    assert places["layers/dropout"] == ("Dropout", {"more/dropout"})


class _Holder(keras.Model):  # type: ignore[misc]
    """Layers in attributes of all kinds, with names before and behind that of a model's list of layers."""

    def __init__(self) -> None:
        super().__init__()
        self.alpha = keras.layers.Dense(2)
        self.net = [keras.layers.Dense(2), (keras.layers.Dense(2), self.alpha)]
        self.odd = {"b": keras.layers.Dense(2), "key one": self.net[0]}

    def call(self, x: Any) -> Any:
        return self.odd["b"](self.net[1][0](self.net[0](self.alpha(x))))


def test_ways_to_layers() -> None:
    """Each layer has all ways to it: attributes, numbers and keys, as tf.keras stored them; also in another process."""
    model = _Holder()
    model(np.zeros((1, 2), "float32"))
    architecture = Architecture.from_model(model)
    assert architecture.part is not None
    ways = [set(layer.attributes) for _, layer in architecture.part.children]
    assert sorted(map(sorted, ways)) == [
        [("alpha",), ("net", "1", "1")],
        [("net", "0"), ("odd", "key one")],
        [("net", "1", "0")],
        [("odd", "b")],
    ]
    assert read_live(json.loads(write_live(architecture))).part == architecture.part


def test_no_model() -> None:
    """An object that is no built model of Keras is one clear error."""
    for value in (3, keras.layers.Dense(3), keras.Sequential([keras.layers.Dense(3)]), None):
        with pytest.raises(ModelError):
            Architecture.from_model(value)


def test_no_keras(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without Keras 3 the error says how to get it."""
    monkeypatch.setitem(sys.modules, "keras", None)
    with pytest.raises(ModelError, match=r"pip install .ckpttool\[tensorflow\]"):
        Architecture.from_model(object())
