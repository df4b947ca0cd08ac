"""The dialects of Keras before 3: what generation a config is of, what its layers are today, how their weights lie in
legacy files."""

from ckpttool.architecture.dialects.generation import Generation, generation_of
from ckpttool.architecture.dialects.layers import change_of, normalized, restated, unflattened
from ckpttool.architecture.dialects.shapes1 import Form
from ckpttool.architecture.dialects.stored import StoredSlot, stored_order

__all__ = [
    "Form",
    "Generation",
    "StoredSlot",
    "change_of",
    "generation_of",
    "normalized",
    "restated",
    "stored_order",
    "unflattened",
]
