"""The table of the operations of `keras.ops` (3.15), by class name.

No two of their modules have a class of the same name. Beside those of keras/src/ops there are `ReLU` and `Mish` of
keras/src/activations/activations.py and `FakeQuantWithMinMaxVars` of keras/src/quantizers/quantizers.py.
"""

from collections.abc import Mapping
from types import MappingProxyType

from ckpttool.model.operations.core import CORE
from ckpttool.model.operations.creation import CREATION
from ckpttool.model.operations.elementwise import ELEMENTWISE
from ckpttool.model.operations.images import IMAGES
from ckpttool.model.operations.index_functions import INDEXING
from ckpttool.model.operations.joins import JOINS
from ckpttool.model.operations.linear_algebra import LINEAR
from ckpttool.model.operations.manipulation import MANIPULATION
from ckpttool.model.operations.neural import NEURAL
from ckpttool.model.operations.products import PRODUCTS
from ckpttool.model.operations.reductions import REDUCTIONS
from ckpttool.model.operations.signals import SIGNALS
from ckpttool.model.operations.windows import WINDOWS
from ckpttool.model.output_rule import Rule

OPERATIONS: Mapping[str, Rule] = MappingProxyType(
    {
        **CORE,
        **ELEMENTWISE,
        **IMAGES,
        **JOINS,
        **LINEAR,
        **CREATION,
        **NEURAL,
        **INDEXING,
        **PRODUCTS,
        **REDUCTIONS,
        **MANIPULATION,
        **SIGNALS,
        **WINDOWS,
    }
)
"""The rule of each operation by class name."""
