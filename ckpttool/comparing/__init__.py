"""Comparing two checkpoints: their weights, whatever the formats, and their configs, whatever the generations."""

from ckpttool.comparing.assets import AssetChange
from ckpttool.comparing.change import ConfigChange
from ckpttool.comparing.comparison import Comparison, Tolerance
from ckpttool.comparing.diffing import Scope, diff
from ckpttool.comparing.expecting import Broken, broken
from ckpttool.comparing.matching import Evidence
from ckpttool.comparing.result import PARTS, Diff, LayerChange, Move, Pair, Restated, Side, State
from ckpttool.comparing.units import Unit

__all__ = [
    "PARTS",
    "AssetChange",
    "Broken",
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
    "broken",
    "diff",
]
