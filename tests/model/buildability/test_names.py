"""The classes and functions that Keras finds by name, against live Keras."""

import importlib
from typing import Any

import pytest

from ckpttool.model.buildability import class_in_keras, names
from tests.live import keras as live_keras
from tests.model.buildability import live_names

keras: Any = live_keras()


def test_current() -> None:
    """The file holds what Keras finds."""
    assert live_names.PATH.read_text() == live_names.text()


@pytest.mark.parametrize(
    ("module", "name"),
    [
        ("keras.layers", "Dense"),
        ("keras.layers", "GroupQueryAttention"),
        ("keras", "Functional"),
        ("keras", "Sequential"),
        ("keras.models", "Model"),
        ("keras.src.models.functional", "Functional"),
        ("keras.src.applications.convnext", "LayerScale"),
        ("keras.src.layers.preprocessing.feature_space", "TFDConcat"),
        ("keras.src.ops.numpy", "Add"),
        ("keras.src.engine.functional", "Functional"),
        ("keras.optimizers.legacy", "Adam"),
        ("keras.layers", "CuDNNLSTM"),
        ("keras.layers", "TFOpLambda"),
        ("keras.layers", "ThresholdedReLU"),
        ("keras.initializers", "glorot_uniform"),
        ("keras.src.no.such", "Dense"),
        ("my.package", "Dense"),
    ],
)
def test_as_keras_finds_it(module: str, name: str) -> None:
    """A class is the one that Keras's own lookup finds, or none."""
    library = keras.src.saving.serialization_lib
    try:
        cls = library._retrieve_class_or_fn(name, name, module, obj_type="class", full_config={}, custom_objects={})
    except (TypeError, ValueError):
        cls = None
    place = cls and f"{cls.__module__}.{cls.__qualname__}"
    assert class_in_keras({"module": module, "class_name": name, "registered_name": None}) == place


def test_every_public_class() -> None:
    """Every class that Keras exports is found by its public name."""
    for path, symbol in keras.src.api_export.REGISTERED_NAMES_TO_OBJS.items():
        module, _, name = path.rpartition(".")
        if isinstance(symbol, type):
            expected = f"{symbol.__module__}.{symbol.__qualname__}"
            assert class_in_keras({"module": module, "class_name": name}) == expected


def test_without_module() -> None:
    """A config without a module names a class of `keras.layers` or a model."""
    assert class_in_keras({"class_name": "Dense"}) == "keras.src.layers.core.dense.Dense"
    assert class_in_keras({"class_name": "Functional"}) == "keras.src.models.functional.Functional"
    assert class_in_keras({"class_name": "ThresholdedReLU"}) is None
    assert class_in_keras({"class_name": "LayerScale"}) is None


@pytest.mark.parametrize("entry", [{}, {"class_name": 1}, {"class_name": "Dense", "module": 1}, {"module": "keras"}])
def test_junk(entry: dict[str, Any]) -> None:
    """A value that is no name finds nothing."""
    assert class_in_keras(entry) is None


@pytest.mark.parametrize("kind", live_names.LOOKUPS)
def test_short_names(kind: str) -> None:
    """A short name means what Keras's own dictionary says."""
    for name, symbol in getattr(importlib.import_module("keras.src"), kind).ALL_OBJECTS_DICT.items():
        assert names.named(kind, name) == live_names._place(symbol)
    assert names.named(kind, "no_such") is None


def test_removed_layers_are_not_the_users_own() -> None:
    """Every layer that only older Keras had is known to be gone, such as CategoryCrossing of TensorFlow 2.3 and 2.4."""
    from ckpttool.model.buildability.removed_classes import is_removed_layer
    from ckpttool.model.layers.removed_layers import ROWS

    assert [name for name in ROWS if not is_removed_layer(name)] == []
