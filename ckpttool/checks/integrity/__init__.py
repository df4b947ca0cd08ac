"""Whether a checkpoint is whole: nothing cut off, nothing changed, nothing missing, nothing left over."""

from ckpttool.checks.integrity.checksums import CHECKS as _OF_CHECKSUMS
from ckpttool.checks.integrity.objects import CHECKS as _OF_OBJECTS
from ckpttool.checks.integrity.parts import CHECKS as _OF_PARTS
from ckpttool.checks.integrity.rules import DAMAGED, RULES
from ckpttool.checks.integrity.slots import CHECKS as _OF_SLOTS
from ckpttool.checks.integrity.vocabularies import CHECKS as _OF_VOCABULARIES

CHECKS = (*_OF_PARTS, *_OF_SLOTS, *_OF_VOCABULARIES, *_OF_OBJECTS, *_OF_CHECKSUMS)

__all__ = ["CHECKS", "DAMAGED", "RULES"]
