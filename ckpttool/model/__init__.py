"""What a model's config says about its layers, whatever generation of Keras wrote it.

A config is data from a stranger: everything is checked before it is believed, nothing is imported or executed.
"""

from ckpttool.model.config import Architecture, Layer, read_architecture
from ckpttool.model.stored import architecture_of

__all__ = ["Architecture", "Layer", "architecture_of", "read_architecture"]
