"""The table of the operations of `keras.ops` (3.15), by class name.

No two of their modules have a class of the same name. Beside those of keras/src/ops there are `ReLU` and `Mish` of
keras/src/activations/activations.py and `FakeQuantWithMinMaxVars` of keras/src/quantizers/quantizers.py.
"""

from collections.abc import Mapping
from types import MappingProxyType

from ckpttool.architecture.shapes.call import Rule
from ckpttool.architecture.shapes.operations.core import CORE
from ckpttool.architecture.shapes.operations.elementwise import ELEMENTWISE
from ckpttool.architecture.shapes.operations.images import IMAGES
from ckpttool.architecture.shapes.operations.joining import JOINING
from ckpttool.architecture.shapes.operations.linear import LINEAR
from ckpttool.architecture.shapes.operations.making import MAKING
from ckpttool.architecture.shapes.operations.neural import NEURAL
from ckpttool.architecture.shapes.operations.picking import PICKING
from ckpttool.architecture.shapes.operations.products import PRODUCTS
from ckpttool.architecture.shapes.operations.reductions import REDUCTIONS
from ckpttool.architecture.shapes.operations.shaping import SHAPING
from ckpttool.architecture.shapes.operations.signals import SIGNALS
from ckpttool.architecture.shapes.operations.windows import WINDOWS

OPERATIONS: Mapping[str, Rule] = MappingProxyType(
    {
        **CORE,
        **ELEMENTWISE,
        **IMAGES,
        **JOINING,
        **LINEAR,
        **MAKING,
        **NEURAL,
        **PICKING,
        **PRODUCTS,
        **REDUCTIONS,
        **SHAPING,
        **SIGNALS,
        **WINDOWS,
    }
)
"""The rule of each operation by class name."""
