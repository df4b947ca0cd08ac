"""Models as configs describe them, whatever generation of Keras wrote the config: layers, graph, shapes, slots.

A config is data from a stranger: every value is checked before it is used, nothing is imported or executed.
"""

from ckpttool.model.checkpoint_architecture import architecture_of
from ckpttool.model.config import Architecture, Layer, read_architecture, with_config, with_keras_classes

__all__ = ["Architecture", "Layer", "architecture_of", "read_architecture", "with_config", "with_keras_classes"]
