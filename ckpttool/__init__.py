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
    from ckpttool.alignment.architectures import load_architecture, load_spec
    from ckpttool.checks.policy import PathIgnore, Policy
    from ckpttool.checks.requirements import Requirements, Thresholds
    from ckpttool.checks.result import CheckReport
    from ckpttool.checks.rule import Severity
    from ckpttool.checks.runner import check
    from ckpttool.comparison import Comparison, Diff, Scope, Tolerance, broken
    from ckpttool.conversion import Conversion, ConversionError, convert
    from ckpttool.equivalence import diff
    from ckpttool.model import Architecture
    from ckpttool.model.spec import Spec
    from ckpttool.verification import Allowed, Finding, VerifyResult, verify

__version__ = "0.1.0"

_ON_DEMAND = {
    "Allowed": "ckpttool.verification",
    "Architecture": "ckpttool.model",
    "CheckReport": "ckpttool.checks.result",
    "Comparison": "ckpttool.comparison",
    "Conversion": "ckpttool.conversion",
    "ConversionError": "ckpttool.conversion",
    "Diff": "ckpttool.comparison",
    "Finding": "ckpttool.verification",
    "PathIgnore": "ckpttool.checks.policy",
    "Policy": "ckpttool.checks.policy",
    "Requirements": "ckpttool.checks.requirements",
    "Scope": "ckpttool.comparison",
    "Severity": "ckpttool.checks.rule",
    "Spec": "ckpttool.model.spec",
    "Thresholds": "ckpttool.checks.requirements",
    "Tolerance": "ckpttool.comparison",
    "VerifyResult": "ckpttool.verification",
    "broken": "ckpttool.comparison",
    "check": "ckpttool.checks.runner",
    "convert": "ckpttool.conversion",
    "diff": "ckpttool.equivalence",
    "load_architecture": "ckpttool.alignment.architectures",
    "load_spec": "ckpttool.alignment.architectures",
    "verify": "ckpttool.verification",
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
