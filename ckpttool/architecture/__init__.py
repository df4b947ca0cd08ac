"""What a model's config says about its layers, whatever generation of Keras wrote it.

A config is data from a stranger: everything is checked before it is believed, nothing is imported or executed.
"""

from ckpttool.architecture.config import Architecture, Layer, read_architecture

__all__ = ["Architecture", "Layer", "read_architecture"]
