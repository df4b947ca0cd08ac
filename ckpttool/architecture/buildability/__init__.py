"""Whether Keras 3.15 builds a config: an imitation of its deserialisation, without Keras."""

from ckpttool.architecture.buildability.names import class_in_keras
from ckpttool.architecture.buildability.result import Buildability, Obstacle, OwnObject

__all__ = ["Buildability", "Obstacle", "OwnObject", "class_in_keras"]
