"""Architectures whose config lists no layers: a model of the user's own class, or a class of Keras's own saved alone.

Keras saves a FeatureSpace as it saves a model (`FeatureSpace.save`, keras/src/layers/preprocessing/feature_space.py,
3.15; `keras.utils.FeatureSpace` of 2.14 and 2.15). Keras 3 does not read that of Keras 2: it names the classes of its
features in a module that is gone.
"""

from collections.abc import Mapping
from typing import Any

from ckpttool.errors import ConfigError
from ckpttool.model.buildability import buildability_of_keras, class_in_keras
from ckpttool.model.config import Architecture

LIVE = "name a function that builds the model: package.module:function"


def is_of_keras(architecture: Architecture) -> bool:
    """Whether the class of a config that lists no layers is one of Keras's own."""
    config: Any = architecture.config
    return not architecture.layers and isinstance(config, Mapping) and class_in_keras(config) is not None


def description(architecture: Architecture) -> str:
    """A phrase for what is saved with a config that lists no layers: an object of Keras's own, or a model."""
    if is_of_keras(architecture):
        return f"a {architecture.class_name} of Keras's own, saved alone, whose config does not list its layers"
    return f"a model of class {architecture.class_name}, whose config does not list its layers"


def next_step(architecture: Architecture) -> str:
    """The next step for a checkpoint whose config lists no layers, as a hint of an error."""
    if not is_of_keras(architecture):
        return LIVE
    name, obstacles = architecture.class_name, buildability_of_keras(architecture.config).obstacles
    if obstacles:
        return f"Keras 3 does not load it, as {obstacles[0].why}: make the {name} anew with Keras 3, and adapt it"
    return f"Keras 3 builds the {name} as it is; keras.models.load_model checks whether its state is complete"


def refusal(architecture: Architecture) -> ConfigError:
    """The error for a config that lists no layers, so that the weights of its model are not known."""
    return ConfigError(
        description(architecture), expected="a Functional or Sequential model", hint=next_step(architecture)
    )
