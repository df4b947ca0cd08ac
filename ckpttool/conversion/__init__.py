"""Old models in the words of Keras 3: configs rewritten by named edits, weights placed by slot, the result proved.

No code from a file runs here, nor any of Keras: a plan is made of values, written, read back and compared.
"""

from ckpttool.conversion.catalogue import EDITS
from ckpttool.conversion.journal import Applied, Edit, Remark
from ckpttool.conversion.options import Options
from ckpttool.conversion.pipeline import convert, plan
from ckpttool.conversion.result import Conversion, Transform
from ckpttool.conversion.targets import FORMS
from ckpttool.errors import ConversionError

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
