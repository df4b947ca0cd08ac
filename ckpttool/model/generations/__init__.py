"""The dialects of Keras before 3: what generation a config is of, what its layers are today, how their weights lie in
legacy files."""

from ckpttool.model.generations.generation import Generation, generation_of
from ckpttool.model.generations.keras1_weight_forms import Form
from ckpttool.model.generations.normalization import change_of, normalized, restated, unflattened
from ckpttool.model.generations.stored_order import StoredSlot, stored_order

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
