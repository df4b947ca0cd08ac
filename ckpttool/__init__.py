"""ckpttool: opens any Keras checkpoint, without TensorFlow, and says what is in it.

with ckpttool.open("model.keras") as checkpoint:
    kernel = checkpoint.layers["stem"]["kernel"].read()
    for path, weight in checkpoint.items():
        print(path, weight.shape, weight.dtype)
"""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ckpttool.alignment.architectures import load_architecture as load_architecture
    from ckpttool.alignment.architectures import load_spec as load_spec
    from ckpttool.alignment.named_checkpoint import open as open
    from ckpttool.checkpoint import Checkpoint as Checkpoint
    from ckpttool.checkpoint import Producer as Producer
    from ckpttool.checkpoint import Refusal as Refusal
    from ckpttool.checkpoint import Section as Section
    from ckpttool.checkpoint import Weight as Weight
    from ckpttool.checks.configuration import read_policy as read_policy
    from ckpttool.checks.policy import PathIgnore as PathIgnore
    from ckpttool.checks.policy import Policy as Policy
    from ckpttool.checks.requirements import Requirements as Requirements
    from ckpttool.checks.requirements import Thresholds as Thresholds
    from ckpttool.checks.result import CheckReport as CheckReport
    from ckpttool.checks.rule import Finding as Finding
    from ckpttool.checks.rule import Severity as Severity
    from ckpttool.checks.runner import check as check
    from ckpttool.comparison import Comparison as Comparison
    from ckpttool.comparison import Diff as Diff
    from ckpttool.comparison import Scope as Scope
    from ckpttool.comparison import Tolerance as Tolerance
    from ckpttool.comparison import UnmetExpectation as UnmetExpectation
    from ckpttool.comparison import unmet_expectations as unmet_expectations
    from ckpttool.conversion import Conversion as Conversion
    from ckpttool.conversion import Options as Options
    from ckpttool.conversion import convert as convert
    from ckpttool.conversion import plan as plan
    from ckpttool.equivalence import diff as diff
    from ckpttool.equivalence.graphs import graph as graph
    from ckpttool.errors import BuildError as BuildError
    from ckpttool.errors import CheckpointError as CheckpointError
    from ckpttool.errors import ChildError as ChildError
    from ckpttool.errors import ClaimedError as ClaimedError
    from ckpttool.errors import ConfigError as ConfigError
    from ckpttool.errors import ConfigurationError as ConfigurationError
    from ckpttool.errors import ConversionError as ConversionError
    from ckpttool.errors import CorruptFileError as CorruptFileError
    from ckpttool.errors import FileAccessError as FileAccessError
    from ckpttool.errors import ModelError as ModelError
    from ckpttool.errors import NoKerasError as NoKerasError
    from ckpttool.errors import NotFiniteError as NotFiniteError
    from ckpttool.errors import ProofError as ProofError
    from ckpttool.errors import UnknownFormatError as UnknownFormatError
    from ckpttool.errors import UnsafeFileError as UnsafeFileError
    from ckpttool.errors import UnsupportedError as UnsupportedError
    from ckpttool.errors import WeightNotFoundError as WeightNotFoundError
    from ckpttool.inspection.cost import Cost as Cost
    from ckpttool.inspection.cost import LayerCost as LayerCost
    from ckpttool.inspection.cost import cost as cost
    from ckpttool.inspection.directories import DirectoryListing as DirectoryListing
    from ckpttool.inspection.directories import Summary as Summary
    from ckpttool.inspection.directories import ls_directory as ls_directory
    from ckpttool.inspection.graph import Connection as Connection
    from ckpttool.inspection.graph import GraphLayer as GraphLayer
    from ckpttool.inspection.graph import ModelGraph as ModelGraph
    from ckpttool.inspection.info import Info as Info
    from ckpttool.inspection.info import info as info
    from ckpttool.inspection.listing import Choice as Choice
    from ckpttool.inspection.listing import Listing as Listing
    from ckpttool.inspection.listing import ls as ls
    from ckpttool.model import Architecture as Architecture
    from ckpttool.model.spec import Spec as Spec
    from ckpttool.reports import Report as Report
    from ckpttool.reports import report as report
    from ckpttool.verification import Allowed as Allowed
    from ckpttool.verification import VerifyResult as VerifyResult
    from ckpttool.verification import WeightProblem as WeightProblem
    from ckpttool.verification import verify as verify

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
    "checks.rule": "Finding Severity",
    "checks.runner": "check",
    "comparison": "Comparison Diff Scope Tolerance UnmetExpectation unmet_expectations",
    "conversion": "Conversion Options convert plan",
    "equivalence": "diff",
    "equivalence.graphs": "graph",
    "errors": "BuildError CheckpointError ChildError ClaimedError ConfigError ConfigurationError ConversionError "
    "CorruptFileError FileAccessError ModelError NoKerasError NotFiniteError ProofError UnknownFormatError "
    "UnsafeFileError UnsupportedError WeightNotFoundError",
    "inspection.cost": "Cost LayerCost cost",
    "inspection.directories": "DirectoryListing Summary ls_directory",
    "inspection.graph": "Connection GraphLayer ModelGraph",
    "inspection.info": "Info info",
    "inspection.listing": "Choice Listing ls",
    "model": "Architecture",
    "model.spec": "Spec",
    "reports": "Report report",
    "verification": "Allowed VerifyResult WeightProblem verify",
}
_MODULES = {name: f"ckpttool.{module}" for module, names in _DOOR.items() for name in names.split()}
__all__ = sorted(_MODULES)


def __getattr__(name: str) -> Any:
    """A public name, imported when it is first asked for: not every user of the package needs every room."""
    if name not in _MODULES:
        raise AttributeError(f"module 'ckpttool' has no attribute {name!r}")
    value = globals()[name] = getattr(importlib.import_module(_MODULES[name]), name)
    return value


def __dir__() -> list[str]:
    return [*globals(), *_MODULES]
