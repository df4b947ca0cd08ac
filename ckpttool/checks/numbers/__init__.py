"""Whether the numbers in a checkpoint can be those of a trained model: all rules in one pass over its values."""

from collections.abc import Callable, Iterator

from ckpttool.checks.failures import outcome_of
from ckpttool.checks.numbers.roles import Roles
from ckpttool.checks.numbers.rules import RULES
from ckpttool.checks.numbers.value_scan import scan
from ckpttool.checks.numbers.verdicts import ScannedWeight, dtypes, duplicates, findings_of_weight
from ckpttool.checks.rule import Outcome
from ckpttool.checks.subject import Subject
from ckpttool.errors import CheckpointError


def numbers(subject: Subject) -> Iterator[Outcome]:
    """The outcomes of the rules about values: weight by weight, and then of all weights together."""
    checkpoint, thresholds = subject.checkpoint, subject.policy.thresholds
    if checkpoint is None or checkpoint.format.is_foreign:  # HDF5 without weights of Keras
        return
    roles, scanned = Roles.of(subject), list[ScannedWeight]()
    refused = {refusal.place for refusal in checkpoint.refusals}  # a shard that is gone is told once
    for weight in checkpoint.values():
        try:
            values = scan(weight, subject.progress)
        except CheckpointError as error:
            if error.where == weight.path or error.where not in refused:
                yield outcome_of(error, weight.path)
            continue
        if values is not None:
            scanned.append((values, roles.role(weight)))
            yield from findings_of_weight(*scanned[-1], thresholds)
    yield from duplicates(scanned, thresholds)
    yield from dtypes(scanned)


CHECKS: tuple[Callable[[Subject], Iterator[Outcome]], ...] = (numbers,)

__all__ = ["CHECKS", "RULES"]
