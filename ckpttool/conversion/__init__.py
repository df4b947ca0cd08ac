"""Conversion of old models to Keras 3: configs rewritten by named edits, weights placed by slot, the result proved.

No code from a file runs here, nor any of Keras: a plan is made of values, written, read back and compared.
"""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ckpttool.conversion.catalogue import EDITS
    from ckpttool.conversion.journal import Applied, Edit, Remark
    from ckpttool.conversion.options import Options
    from ckpttool.conversion.pipeline import convert, plan
    from ckpttool.conversion.result import Conversion, Transform
    from ckpttool.conversion.targets import FORMS
    from ckpttool.errors import ConversionError

_MODULES = {
    "EDITS": "ckpttool.conversion.catalogue",
    "Applied": "ckpttool.conversion.journal",
    "Edit": "ckpttool.conversion.journal",
    "Remark": "ckpttool.conversion.journal",
    "Options": "ckpttool.conversion.options",
    "convert": "ckpttool.conversion.pipeline",
    "plan": "ckpttool.conversion.pipeline",
    "Conversion": "ckpttool.conversion.result",
    "Transform": "ckpttool.conversion.result",
    "FORMS": "ckpttool.conversion.targets",
    "ConversionError": "ckpttool.errors",
}
"""What can be had from here, and the module that has it: other rooms need single modules, and not all of them."""


def __getattr__(name: str) -> Any:
    """The attribute of this package, whose module is imported when it is asked for."""
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = globals()[name] = getattr(importlib.import_module(_MODULES[name]), name)
    return value


__all__ = [
    "EDITS",
    "FORMS",
    "Applied",
    "Conversion",
    "ConversionError",
    "Edit",
    "Options",
    "Remark",
    "Transform",
    "convert",
    "plan",
]
