"""A checkpoint against other files that the policy names: an architecture that it has to fit, and a baseline.

Verifying and comparing are imported where they are asked for, which is seldom.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from ckpttool.checks.failures import in_a_line
from ckpttool.checks.required.rules import CHANGED_TOO_MUCH, FROZEN_CHANGED, NO_FIT
from ckpttool.checks.requirements import Requirements
from ckpttool.checks.rule import Finding, Told, Unchecked
from ckpttool.checks.subject import Subject
from ckpttool.errors import CheckpointError

if TYPE_CHECKING:
    from ckpttool.comparison import Comparison, Diff


def fits(subject: Subject) -> Iterator[Told]:
    """Whether the weights load into the architecture that is required, as verify judges: by Keras 3, or by the older
    Keras that wrote an architecture which Keras 3 does not build."""
    path = subject.policy.requirements.architecture
    if subject.checkpoint is None or not path:
        return
    from ckpttool.verification import verify

    try:
        found = verify(subject.checkpoint, path)
    except CheckpointError as error:
        if error.path != path:
            raise
        yield Unchecked(path, in_a_line(error))
        return
    for problem in found.problems:
        yield Finding(NO_FIT, "", problem)
    for failure in found.failures:
        yield Finding(NO_FIT, failure.label, f"{failure.status.value.lower()}: {failure.why}")
    if found.verdict == "cannot tell":
        yield Unchecked(path, "whether the weights fit cannot be told: it has layers whose weights are not known")


def drift(subject: Subject) -> Iterator[Told]:
    """What became of the weights since the baseline."""
    required = subject.policy.requirements
    asked = bool(required.frozen) or required.largest_change < math.inf
    if not required.baseline:
        if asked:
            yield Unchecked("", "a limit on what may change is set, and no baseline")
        return
    if not asked:
        yield Unchecked(required.baseline, "a baseline is set, and neither `frozen` nor `largest-change`")
    elif subject.checkpoint is not None:
        from ckpttool.equivalence import diff

        yield from _changes(diff(required.baseline, subject.checkpoint, progress=subject.progress), required)


def _changes(found: Diff, required: Requirements) -> Iterator[Told]:
    from ckpttool.comparison import unmet_expectations

    for one in unmet_expectations(found, frozen=required.frozen):
        yield Finding(FROZEN_CHANGED, one.weight, f"{one.found}, and {one.glob} is frozen")
    for pair in found.unreadable:
        yield Unchecked(pair.b.path, f"cannot be compared: {pair.problem}")
    if required.largest_change < math.inf:
        yield from _beyond(found, required.largest_change)


def _beyond(found: Diff, limit: float) -> Iterator[Told]:
    for pair in found.pairs:
        if pair.a.shape != pair.b.shape:
            yield Finding(CHANGED_TOO_MUCH, pair.b.path, f"{pair.a.shape} became {pair.b.shape}")
        elif pair.comparison is not None and _change(pair.comparison) > limit:
            change = _change(pair.comparison)
            yield Finding(CHANGED_TOO_MUCH, pair.b.path, f"the relative change is {change:.4g}, at most {limit:.4g}")
    for units, what in ((found.removed, "is gone"), (found.added, "is new")):
        yield from (Finding(CHANGED_TOO_MUCH, unit.path, what) for unit in units)


def _change(comparison: Comparison) -> float:
    """By how much a weight changed; infinite where values became NaN or infinite, which count in no norm."""
    lost = comparison.nan_gained or comparison.inf_gained
    return math.inf if lost else comparison.relative_l2


CHECKS: tuple[Callable[[Subject], Iterator[Told]], ...] = (fits, drift)
