"""The comparison of two checkpoints: weights in any formats, configs of any generations of Keras."""

from ckpttool.arrays.comparison import Comparison, Tolerance
from ckpttool.comparison.assets import AssetChange
from ckpttool.comparison.change import ConfigChange
from ckpttool.comparison.checkpoints import Scope, diff
from ckpttool.comparison.expectations import UnmetExpectation, unmet_expectations
from ckpttool.comparison.matches import Evidence
from ckpttool.comparison.result import PARTS, Diff, LayerChange, Move, Pair, Restated, Side, State
from ckpttool.comparison.weights import Unit

__all__ = [
    "PARTS",
    "AssetChange",
    "Comparison",
    "ConfigChange",
    "Diff",
    "Evidence",
    "LayerChange",
    "Move",
    "Pair",
    "Restated",
    "Scope",
    "Side",
    "State",
    "Tolerance",
    "Unit",
    "UnmetExpectation",
    "diff",
    "unmet_expectations",
]
