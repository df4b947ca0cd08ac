"""Whether the numbers in a checkpoint can be those of a trained model: all rules in one pass over its values."""

from collections.abc import Callable, Iterator

from ckpttool.checks.failures import told
from ckpttool.checks.numbers.roles import Roles
from ckpttool.checks.numbers.rules import RULES
from ckpttool.checks.numbers.value_scan import scan
from ckpttool.checks.numbers.verdicts import Judged, dtypes, duplicates, judged
from ckpttool.checks.rule import Told
from ckpttool.checks.subject import Subject
from ckpttool.errors import CheckpointError


def numbers(subject: Subject) -> Iterator[Told]:
    """What the rules say of all values, weight by weight, and then of all weights together."""
    checkpoint, thresholds = subject.checkpoint, subject.policy.thresholds
    if checkpoint is None or checkpoint.kind == "hdf5":  # which is no checkpoint
        return
    roles, scanned = Roles.of(subject), list[Judged]()
    for weight in checkpoint.values():
        try:
            found = scan(weight, subject.progress)
        except CheckpointError as error:
            yield told(error, weight.path)
            continue
        if found is not None:
            scanned.append((found, roles.role(weight)))
            yield from judged(*scanned[-1], thresholds)
    yield from duplicates(scanned, thresholds)
    yield from dtypes(scanned)


CHECKS: tuple[Callable[[Subject], Iterator[Told]], ...] = (numbers,)

__all__ = ["CHECKS", "RULES"]
