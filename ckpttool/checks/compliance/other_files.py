"""Requirements that name another file: an architecture that the checkpoint has to fit, and a baseline.

`verify` and `diff` are slow to import and seldom required, so that they are imported where they are called.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from ckpttool.checks.compliance.rules import CHANGED_TOO_MUCH, FROZEN_CHANGED, NO_FIT
from ckpttool.checks.failures import one_line
from ckpttool.checks.requirements import Requirements
from ckpttool.checks.rule import Finding, Outcome, Unchecked
from ckpttool.checks.subject import Subject
from ckpttool.errors import CheckpointError

if TYPE_CHECKING:
    from ckpttool.comparison import Comparison, Diff


def fits(subject: Subject) -> Iterator[Outcome]:
    """The weights that do not load into the required architecture, as `verify` judges: in Keras 3, or in the older
    Keras that wrote an architecture which Keras 3 does not build."""
    path = subject.policy.requirements.architecture
    if subject.checkpoint is None or not path:
        return
    from ckpttool.verification import verify

    try:
        verification = verify(subject.checkpoint, path)
    except CheckpointError as error:
        if error.path != path:
            raise
        yield Unchecked(path, one_line(error))
        return
    for problem in verification.problems:
        yield Finding(NO_FIT, "", problem)
    for failure in verification.failures:
        yield Finding(NO_FIT, failure.label, f"{failure.status.value.lower()}: {failure.why}")
    if verification.verdict == "cannot tell":
        yield Unchecked(path, "whether the weights fit is not known, as it has layers whose weights are not known")


def drift(subject: Subject) -> Iterator[Outcome]:
    """The weights that differ from those of the baseline by more than is allowed."""
    required = subject.policy.requirements
    has_limit = bool(required.frozen) or required.largest_change < math.inf
    if not required.baseline:
        if has_limit:
            yield Unchecked("", "`frozen` or `largest-change` is set, and no `baseline`")
        return
    if not has_limit:
        yield Unchecked(required.baseline, "`baseline` is set, and neither `frozen` nor `largest-change`")
    elif subject.checkpoint is not None:
        from ckpttool.equivalence import diff

        yield from _changes(diff(required.baseline, subject.checkpoint, progress=subject.progress), required)


def _changes(comparison: Diff, required: Requirements) -> Iterator[Outcome]:
    from ckpttool.comparison import unmet_expectations

    for unmet in unmet_expectations(comparison, frozen=required.frozen):
        yield Finding(FROZEN_CHANGED, unmet.weight, f"{unmet.actual}, and {unmet.glob} is frozen")
    for pair in comparison.unreadable:
        yield Unchecked(pair.b.path, f"cannot be compared: {pair.problem}")
    if required.largest_change < math.inf:
        yield from _large_changes(comparison, required.largest_change)


def _large_changes(comparison: Diff, limit: float) -> Iterator[Outcome]:
    for pair in comparison.pairs:
        if pair.a.shape != pair.b.shape:
            yield Finding(CHANGED_TOO_MUCH, pair.b.path, f"{pair.a.shape} became {pair.b.shape}")
        elif pair.comparison is not None and _relative_change(pair.comparison) > limit:
            change = _relative_change(pair.comparison)
            yield Finding(CHANGED_TOO_MUCH, pair.b.path, f"the relative change is {change:.4g}, at most {limit:.4g}")
    for weights, detail in ((comparison.removed, "is gone"), (comparison.added, "is new")):
        yield from (Finding(CHANGED_TOO_MUCH, weight.path, detail) for weight in weights)


def _relative_change(comparison: Comparison) -> float:
    """The relative change of a weight; infinite where values became NaN or infinite, which no norm counts."""
    became_nonfinite = comparison.nan_gained or comparison.inf_gained
    return math.inf if became_nonfinite else comparison.relative_l2


CHECKS: tuple[Callable[[Subject], Iterator[Outcome]], ...] = (fits, drift)
