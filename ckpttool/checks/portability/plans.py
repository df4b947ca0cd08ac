"""A model of an older Keras against a plan of its conversion, which is not carried out."""

from collections import Counter
from collections.abc import Iterable, Iterator

from ckpttool.checkpoint import Checkpoint
from ckpttool.checks.portability.rules import NO_EXACT_FORM, OLD_CONFIG, OTHERWISE, REFUSED, REMARKS
from ckpttool.checks.rule import Finding, Rule, Told
from ckpttool.conversion import Applied, Edit, Remark
from ckpttool.conversion.config import argument_edits
from ckpttool.conversion.journal import Journal
from ckpttool.conversion.options import PLAIN
from ckpttool.conversion.preparation import prepare
from ckpttool.errors import ConversionError
from ckpttool.formats.weights_h5 import PATH_KINDS
from ckpttool.model import Architecture
from ckpttool.model.generations.generation import Generation
from ckpttool.verification import verify


def told(checkpoint: Checkpoint, architecture: Architecture, generation: Generation) -> Iterator[Told]:
    """What stands between a model of this generation and Keras 3."""
    journal = Journal()
    try:
        prepare(checkpoint, None, "keras", PLAIN, journal)
    except ConversionError as error:
        journal.refuse(error.where, error.what)
        journal.refusals += [Remark(one.where, one.what) for one in error.refusals]
    yield Finding(OLD_CONFIG, "config", _plan(checkpoint, generation, journal))
    if checkpoint.kind in PATH_KINDS:
        yield from _unfound(checkpoint, architecture)
    if generation >= Generation.KERAS_2:  # of the others Keras 3 builds nothing
        yield from _edits(OTHERWISE, filter(_matters, journal.edits))
    yield from _remarks(NO_EXACT_FORM, journal.refusals)
    yield from _remarks(REMARKS, [*journal.losses, *journal.guesses, *journal.needs])


def _plan(checkpoint: Checkpoint, generation: Generation, journal: Journal) -> str:
    """What the model is, and what would be done about it, in a line."""
    version = checkpoint.producer.keras_version
    writer = f"Keras {generation.value}" + (f" ({version})" if version else "")
    counts = Counter(one.edit.name for one in journal.edits)
    edits = ", ".join(f"{count} {name}" for name, count in counts.most_common())
    count = len(journal.refusals)
    refused = f", and would refuse {count:,} thing{'s' if count > 1 else ''}" if count else ""
    return f"in the words of {writer}; ckpttool convert would make {len(journal.edits):,} edits ({edits}){refused}"


def _unfound(checkpoint: Checkpoint, architecture: Architecture) -> Iterator[Told]:
    """Weights that Keras 3 does not find in a `.keras` of Keras 2."""
    found = verify(checkpoint, architecture, by="path")
    if found.keras == "raises":
        why = found.failures[0].why if found.failures else found.problems[0]
        yield Finding(REFUSED, "config", f"Keras 3 does not find its weights: {why}")


def _matters(edit: Applied) -> bool:
    """Whether Keras 3 computes something else without an edit. channels_last is what it takes by itself, unless its
    user has set another order (`image_data_format`, keras/src/backend/config.py, 3.15)."""
    is_default = edit.edit is argument_edits.WRITE_DEFAULT and edit.detail == "data_format='channels_last'"
    return edit.edit.differs_without and not is_default


def _edits(rule: Rule, edits: Iterable[Applied]) -> Iterator[Told]:
    """One finding for each kind of edit: where it is made first, and how often."""
    places = dict[Edit, list[Applied]]()
    for one in edits:
        places.setdefault(one.edit, []).append(one)
    for edit, found in places.items():
        detail = f" ({found[0].detail})" if found[0].detail else ""
        more = f", and in {len(found) - 1:,} more places" if len(found) > 1 else ""
        yield Finding(rule, found[0].where, f"{edit.name}{detail}{more}: convert {edit.does}")


def _remarks(rule: Rule, remarks: Iterable[Remark]) -> Iterator[Told]:
    for remark in dict.fromkeys(remarks):
        yield Finding(rule, remark.where, remark.what)
