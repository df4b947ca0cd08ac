"""The table of defaults: against the constructors of live Keras, and as it is asked."""

import inspect
from typing import Any

import pytest

from ckpttool.model.class_names import ALIASES
from ckpttool.model.defaults import class_called, defaults_of
from ckpttool.model.layers.table import LAYERS
from tests.live import keras as live_keras
from tests.model import live_defaults

keras: Any = live_keras()

NAMED = ("initializers", "regularizers", "constraints", "losses", "metrics", "optimizers")


def test_current() -> None:
    """The file holds what the constructors of Keras say."""
    assert live_defaults.PATH.read_text() == live_defaults.text()


def test_every_layer() -> None:
    """Every built-in layer has its row, an alias that of its class, and each has what all layers have."""
    common = defaults_of("layers", "Layer")
    assert common == {"activity_regularizer": None, "autocast": True, "dtype": "float32", "trainable": True}
    for name in LAYERS:
        defaults = defaults_of("layers", name)
        assert defaults is not None and defaults.keys() >= common.keys()
        assert defaults == defaults_of("layers", ALIASES.get(name, name))


@pytest.mark.parametrize("kind", NAMED)
def test_every_class(kind: str) -> None:
    """Every public class of a kind has its row, but those that the user's own are made of."""
    public = {value.__name__ for value in vars(getattr(keras, kind)).values() if inspect.isclass(value)}
    assert {name for name in public if defaults_of(kind, name) is None} == public & live_defaults.LEFT_OUT


@pytest.mark.parametrize("kind", NAMED)
def test_names(kind: str) -> None:
    """Every name that Keras takes for an object leads to its class."""
    known = getattr(keras.src, kind).ALL_OBJECTS_DICT.items()
    classes = {name: value.__name__ for name, value in known if inspect.isclass(value)}
    expected = {name: of for name, of in classes.items() if of not in live_defaults.LEFT_OUT}
    assert {name: class_called(kind, name) for name in expected} == expected


def test_names_of_functions() -> None:
    """A loss may be called by the name of its function, too."""
    names = {cls().fn: name for name, cls in live_defaults.classes_of("losses").items()}
    functions = {name: names[fn] for name, fn in keras.src.losses.ALL_OBJECTS_DICT.items() if inspect.isfunction(fn)}
    assert len(functions) > 20
    assert {name: class_called("losses", name) for name in functions} == functions


def test_names_of_activations() -> None:
    """An alias of an activation leads to its function."""
    for name, function in keras.src.activations.ALL_OBJECTS_DICT.items():
        assert (class_called("activations", name) or name) == function.__name__


@pytest.mark.parametrize(("kind", "name"), [("layers", "Mine"), ("nothing", "Dense"), ("", ""), ("losses", "Dense")])
def test_unknown(kind: str, name: str) -> None:
    """Of what is no built-in class of the kind nothing is told."""
    assert defaults_of(kind, name) is None
    assert class_called(kind, name) is None
