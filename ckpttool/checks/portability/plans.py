"""Findings from the plan of a conversion of an older model; nothing is converted."""

from collections import Counter
from collections.abc import Iterable, Iterator

from ckpttool.checkpoint import Checkpoint
from ckpttool.checks.portability.rules import COMPUTED_DIFFERENTLY, NO_EXACT_FORM, OLD_CONFIG, REFUSED, REMARKS
from ckpttool.checks.rule import Finding, Outcome, Rule
from ckpttool.conversion import Applied, Edit, Remark
from ckpttool.conversion.journal import Journal
from ckpttool.conversion.options import PLAIN
from ckpttool.conversion.preparation import prepare
from ckpttool.errors import ConversionError
from ckpttool.model import Architecture
from ckpttool.model.generations.generation import Generation
from ckpttool.verification import verify


def conversion_outcomes(
    checkpoint: Checkpoint, architecture: Architecture, generation: Generation
) -> Iterator[Outcome]:
    """The edits, refusals and remarks that a conversion of this model to Keras 3 would have."""
    journal = Journal()
    try:
        prepare(checkpoint, None, "keras", PLAIN, journal)
    except ConversionError as error:
        journal.refuse(error.where, error.what)
        journal.refusals += [Remark(refusal.where, refusal.what) for refusal in error.refusals]
    if any(refusal.kind == "pointer" for refusal in checkpoint.refusals):
        journal.refusals.clear()  # what is missing was not fetched, and says nothing of the model
    yield Finding(OLD_CONFIG, "config", _plan(checkpoint, generation, journal))
    if checkpoint.format.has_paths:
        yield from _misplaced_weights(checkpoint, architecture)
    if generation >= Generation.KERAS_2:  # Keras 3 builds no older model, so that no result could differ
        yield from _edit_findings(COMPUTED_DIFFERENTLY, [edit for edit in journal.edits if edit.differs_without])
    yield from _remark_findings(NO_EXACT_FORM, journal.refusals)
    yield from _remark_findings(REMARKS, [*journal.losses, *journal.guesses, *journal.needs])


def _plan(checkpoint: Checkpoint, generation: Generation, journal: Journal) -> str:
    """The generation of a config and the edits of its conversion, in one line."""
    version = checkpoint.producer.keras_version
    writer = f"Keras {generation.value}" + (f" ({version})" if version else "")
    counts = Counter(applied.edit.name for applied in journal.edits)
    edits = ", ".join(f"{count} {name}" for name, count in counts.most_common())
    count = len(journal.refusals)
    refused = f", and would refuse {count:,} part{'s' if count > 1 else ''} of the model" if count else ""
    return f"a config of {writer}; ckpttool convert would make {len(journal.edits):,} edits ({edits}){refused}"


def _misplaced_weights(checkpoint: Checkpoint, architecture: Architecture) -> Iterator[Outcome]:
    """The weights that Keras 3 does not find in a `.keras` of Keras 2, as their paths are others."""
    verification = verify(checkpoint, architecture, by="path")
    if verification.keras == "raises":
        why = verification.failures[0].why if verification.failures else verification.problems[0]
        yield Finding(REFUSED, "config", f"Keras 3 does not find its weights: {why}")


def _edit_findings(rule: Rule, edits: Iterable[Applied]) -> Iterator[Outcome]:
    """A finding for each kind of edit, at the first place where it is made, with the number of other places."""
    places = dict[Edit, list[Applied]]()
    for applied in edits:
        places.setdefault(applied.edit, []).append(applied)
    for edit, occurrences in places.items():
        detail = f" ({occurrences[0].detail})" if occurrences[0].detail else ""
        more = f", and in {len(occurrences) - 1:,} more places" if len(occurrences) > 1 else ""
        yield Finding(rule, occurrences[0].where, f"{edit.name}{detail}{more}: convert {edit.does}")


def _remark_findings(rule: Rule, remarks: Iterable[Remark]) -> Iterator[Outcome]:
    for remark in dict.fromkeys(remarks):
        yield Finding(rule, remark.where, remark.what)
