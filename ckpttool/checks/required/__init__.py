"""What a project requires of its checkpoints: silent unless the policy asks for something."""

from ckpttool.checks.required.facts import CHECKS as _OF_FACTS
from ckpttool.checks.required.others import CHECKS as _OF_OTHERS
from ckpttool.checks.required.rules import RULES

CHECKS = (*_OF_FACTS, *_OF_OTHERS)

__all__ = ["CHECKS", "RULES"]
