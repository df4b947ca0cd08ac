"""Functions of tensorflow-addons that Keras 3 has as functions or operations.

Source: tensorflow_addons/activations of 0.6.0 to 0.21.0, in all of which `gelu` is the tanh form by default, against
keras/src/activations/activations.py and keras/src/ops/nn.py, 3.15. Keras 3 takes an operation wherever it takes an
activation (`activations.get`), and saves it in the form that is written here.
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from ckpttool.conversion.journal import Edit
from ckpttool.model.entries import internal_entry

REPLACE_ADDON = Edit(
    "replace-addon",
    "writes a layer or function of tensorflow-addons as the one of Keras 3",
    "always: the same function",
)
EDITS = (REPLACE_ADDON,)


_ACTIVATIONS: Mapping[str, str | tuple[str, Mapping[str, Any]]] = MappingProxyType(
    {
        "Addons>gelu": ("Gelu", {"name": "gelu", "approximate": True}),
        "Addons>hardshrink": "hard_shrink",
        "Addons>mish": "mish",
        "Addons>softshrink": "soft_shrink",
        "Addons>sparsemax": "sparsemax",
        "Addons>tanhshrink": "tanh_shrink",
    }
)


def activation(name: str) -> Any:
    """The equivalent in Keras 3 of a registered activation of tensorflow-addons, None where there is none."""
    replacement = _ACTIVATIONS.get(name)
    if not isinstance(replacement, tuple):
        return replacement
    class_name, config = replacement
    return internal_entry("keras.src.ops.nn", class_name, config)
