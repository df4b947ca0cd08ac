"""Whether Keras 3.15 builds a config: an imitation of its deserialisation, without Keras."""

from ckpttool.model.buildability.loaders import (
    buildability_of,
    buildability_of_h5,
    buildability_of_json,
    buildability_of_keras,
)
from ckpttool.model.buildability.names import class_in_keras
from ckpttool.model.buildability.result import Buildability, Obstacle, OwnObject

__all__ = [
    "Buildability",
    "Obstacle",
    "OwnObject",
    "buildability_of",
    "buildability_of_h5",
    "buildability_of_json",
    "buildability_of_keras",
    "class_in_keras",
]
