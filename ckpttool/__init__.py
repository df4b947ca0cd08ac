"""ckpttool: opens any Keras checkpoint, without TensorFlow, and says what is in it.

with ckpttool.open("model.keras") as checkpoint:
    kernel = checkpoint.layers["stem"]["kernel"].read()
    for path, weight in checkpoint.items():
        print(path, weight.shape, weight.dtype)
"""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ckpttool.alignment.architectures import load_architecture, load_spec
    from ckpttool.alignment.named_checkpoint import open
    from ckpttool.checkpoint import Checkpoint, Producer, Refusal, Section, Weight
    from ckpttool.checks.configuration import read_policy
    from ckpttool.checks.policy import PathIgnore, Policy
    from ckpttool.checks.requirements import Requirements, Thresholds
    from ckpttool.checks.result import CheckReport
    from ckpttool.checks.rule import Severity
    from ckpttool.checks.runner import check
    from ckpttool.comparison import Comparison, Diff, Scope, Tolerance, UnmetExpectation, unmet_expectations
    from ckpttool.conversion import Conversion, Options, convert, plan
    from ckpttool.equivalence import diff
    from ckpttool.equivalence.graphs import graph
    from ckpttool.errors import (
        BuildError,
        CheckpointError,
        ChildError,
        ConfigError,
        ConfigurationError,
        ConversionError,
        CorruptFileError,
        FileAccessError,
        ModelError,
        NoKerasError,
        NotFiniteError,
        ProofError,
        UnknownFormatError,
        UnsafeFileError,
        UnsupportedError,
        WeightNotFoundError,
    )
    from ckpttool.inspection.cost import Cost, LayerCost, cost
    from ckpttool.inspection.directories import DirectoryListing, Summary, ls_directory
    from ckpttool.inspection.graph import Connection, GraphLayer, ModelGraph
    from ckpttool.inspection.info import Info, info
    from ckpttool.inspection.listing import Choice, Listing, ls
    from ckpttool.model import Architecture
    from ckpttool.model.spec import Spec
    from ckpttool.reports import Report, report
    from ckpttool.verification import Allowed, Finding, VerifyResult, verify

__version__ = "0.1.0"

# What can be had from here, by the module that has it; a module is imported when something of it is asked for.
_DOOR = {
    "alignment.architectures": "load_architecture load_spec",
    "alignment.named_checkpoint": "open",
    "checkpoint": "Checkpoint Producer Refusal Section Weight",
    "checks.configuration": "read_policy",
    "checks.policy": "PathIgnore Policy",
    "checks.requirements": "Requirements Thresholds",
    "checks.result": "CheckReport",
    "checks.rule": "Severity",
    "checks.runner": "check",
    "comparison": "Comparison Diff Scope Tolerance UnmetExpectation unmet_expectations",
    "conversion": "Conversion Options convert plan",
    "equivalence": "diff",
    "equivalence.graphs": "graph",
    "errors": "BuildError CheckpointError ChildError ConfigError ConfigurationError ConversionError CorruptFileError "
    "FileAccessError ModelError NoKerasError NotFiniteError ProofError UnknownFormatError UnsafeFileError "
    "UnsupportedError WeightNotFoundError",
    "inspection.cost": "Cost LayerCost cost",
    "inspection.directories": "DirectoryListing Summary ls_directory",
    "inspection.graph": "Connection GraphLayer ModelGraph",
    "inspection.info": "Info info",
    "inspection.listing": "Choice Listing ls",
    "model": "Architecture",
    "model.spec": "Spec",
    "reports": "Report report",
    "verification": "Allowed Finding VerifyResult verify",
}
_MODULES = {name: f"ckpttool.{module}" for module, names in _DOOR.items() for name in names.split()}


def __getattr__(name: str) -> Any:
    """A public name, imported when it is first asked for: not every user of the package needs every room."""
    if name not in _MODULES:
        raise AttributeError(f"module 'ckpttool' has no attribute {name!r}")
    value = globals()[name] = getattr(importlib.import_module(_MODULES[name]), name)
    return value


def __dir__() -> list[str]:
    return [*globals(), *_MODULES]


__all__ = [
    "Allowed",
    "Architecture",
    "BuildError",
    "CheckReport",
    "Checkpoint",
    "CheckpointError",
    "ChildError",
    "Choice",
    "Comparison",
    "ConfigError",
    "ConfigurationError",
    "Connection",
    "Conversion",
    "ConversionError",
    "CorruptFileError",
    "Cost",
    "Diff",
    "DirectoryListing",
    "FileAccessError",
    "Finding",
    "GraphLayer",
    "Info",
    "LayerCost",
    "Listing",
    "ModelError",
    "ModelGraph",
    "NoKerasError",
    "NotFiniteError",
    "Options",
    "PathIgnore",
    "Policy",
    "Producer",
    "ProofError",
    "Refusal",
    "Report",
    "Requirements",
    "Scope",
    "Section",
    "Severity",
    "Spec",
    "Summary",
    "Thresholds",
    "Tolerance",
    "UnknownFormatError",
    "UnmetExpectation",
    "UnsafeFileError",
    "UnsupportedError",
    "VerifyResult",
    "Weight",
    "WeightNotFoundError",
    "check",
    "convert",
    "cost",
    "diff",
    "graph",
    "info",
    "load_architecture",
    "load_spec",
    "ls",
    "ls_directory",
    "open",
    "plan",
    "read_policy",
    "report",
    "unmet_expectations",
    "verify",
]
