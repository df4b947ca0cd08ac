"""Whether a checkpoint meets the requirements of a project; without requirements, nothing is reported."""

from ckpttool.checks.compliance.facts import CHECKS as _OF_FACTS
from ckpttool.checks.compliance.other_files import CHECKS as _OF_OTHERS
from ckpttool.checks.compliance.rules import RULES

CHECKS = (*_OF_FACTS, *_OF_OTHERS)

__all__ = ["CHECKS", "RULES"]
