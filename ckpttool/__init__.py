"""ckpttool: opens any Keras checkpoint, without TensorFlow, and says what is in it.

with ckpttool.open("model.keras") as checkpoint:
    for path, weight in checkpoint.items():
        print(path, weight.shape, weight.dtype)
"""

import importlib
from typing import TYPE_CHECKING, Any

from ckpttool.checkpoint import Checkpoint, Producer, Refusal, Section, Weight
from ckpttool.errors import (
    CheckpointError,
    CorruptFileError,
    FileAccessError,
    UnknownFormatError,
    UnsafeFileError,
    UnsupportedError,
    WeightNotFoundError,
)
from ckpttool.formats import open_checkpoint as open

if TYPE_CHECKING:
    from ckpttool.architecture import Architecture
    from ckpttool.architecture.spec import Spec
    from ckpttool.checks.checking import check
    from ckpttool.checks.policy import PathIgnore, Policy
    from ckpttool.checks.requirements import Requirements, Thresholds
    from ckpttool.checks.result import CheckReport
    from ckpttool.checks.rule import Severity
    from ckpttool.comparing import Comparison, Diff, Scope, Tolerance, broken
    from ckpttool.conversion import Conversion, ConversionError, convert
    from ckpttool.equivalence import diff
    from ckpttool.loading import load_architecture, load_spec
    from ckpttool.verifying import Allowed, Finding, VerifyResult, verify

__version__ = "0.1.0"

_ON_DEMAND = {
    "Allowed": "ckpttool.verifying",
    "Architecture": "ckpttool.architecture",
    "CheckReport": "ckpttool.checks.result",
    "Comparison": "ckpttool.comparing",
    "Conversion": "ckpttool.conversion",
    "ConversionError": "ckpttool.conversion",
    "Diff": "ckpttool.comparing",
    "Finding": "ckpttool.verifying",
    "PathIgnore": "ckpttool.checks.policy",
    "Policy": "ckpttool.checks.policy",
    "Requirements": "ckpttool.checks.requirements",
    "Scope": "ckpttool.comparing",
    "Severity": "ckpttool.checks.rule",
    "Spec": "ckpttool.architecture.spec",
    "Thresholds": "ckpttool.checks.requirements",
    "Tolerance": "ckpttool.comparing",
    "VerifyResult": "ckpttool.verifying",
    "broken": "ckpttool.comparing",
    "check": "ckpttool.checks.checking",
    "convert": "ckpttool.conversion",
    "diff": "ckpttool.equivalence",
    "load_architecture": "ckpttool.loading",
    "load_spec": "ckpttool.loading",
    "verify": "ckpttool.verifying",
}


def __getattr__(name: str) -> Any:
    """What not every user of the package needs is imported when it is asked for."""
    if name not in _ON_DEMAND:
        raise AttributeError(f"module 'ckpttool' has no attribute {name!r}")
    return getattr(importlib.import_module(_ON_DEMAND[name]), name)


__all__ = [
    "Allowed",
    "Architecture",
    "CheckReport",
    "Checkpoint",
    "CheckpointError",
    "Comparison",
    "Conversion",
    "ConversionError",
    "CorruptFileError",
    "Diff",
    "FileAccessError",
    "Finding",
    "PathIgnore",
    "Policy",
    "Producer",
    "Refusal",
    "Requirements",
    "Scope",
    "Section",
    "Severity",
    "Spec",
    "Thresholds",
    "Tolerance",
    "UnknownFormatError",
    "UnsafeFileError",
    "UnsupportedError",
    "VerifyResult",
    "Weight",
    "WeightNotFoundError",
    "broken",
    "check",
    "convert",
    "diff",
    "load_architecture",
    "load_spec",
    "open",
    "verify",
]
