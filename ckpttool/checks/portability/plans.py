"""A model of an older Keras against a plan of its conversion, which is not carried out."""

from collections import Counter
from collections.abc import Iterable, Iterator

from ckpttool.architecture import Architecture
from ckpttool.architecture.dialects import Generation
from ckpttool.checkpoint import Checkpoint
from ckpttool.checks.portability.rules import NO_EXACT_FORM, OLD_CONFIG, OTHERWISE, REFUSED, REMARKS
from ckpttool.checks.rule import Finding, Rule, Told
from ckpttool.conversion import (
    Applied,
    ConversionError,
    Edit,
    Remark,
    activations,
    equivalents,
    operations,
    padding,
    words,
)
from ckpttool.conversion.journal import Journal
from ckpttool.conversion.preparing import prepare
from ckpttool.conversion.rewriting import CONNECT, PLAIN, RENAME_LAYER, STATE_INPUT
from ckpttool.conversion.settling import WRITE_BACKWARD
from ckpttool.formats.weights_h5 import PATH_KINDS
from ckpttool.verifying import verify

# What Keras 3.15 does with a model that lacks an edit.
_RAISES_WITHOUT = frozenset(
    {
        *(words.DROP_NEUTRAL, words.RESPELL_POLICY),
        *(equivalents.REPLACE_LAYER, operations.REPLACE_OPERATION, RENAME_LAYER),
    }
)
_OTHERWISE_WITHOUT = frozenset(
    {
        *(activations.SCALE_WEIGHTS, activations.SCALE_INPUT, activations.KEEP_WEIGHTS),
        *(padding.WRITE_PADDING, words.WRITE_DEFAULT, WRITE_BACKWARD, STATE_INPUT),
    }
)


def told(checkpoint: Checkpoint, architecture: Architecture, generation: Generation) -> Iterator[Told]:
    """What stands between a model of this generation and Keras 3."""
    journal = Journal()
    try:
        prepare(checkpoint, None, "keras", PLAIN, journal)
    except ConversionError as error:
        journal.refuse(error.where, error.what)
        journal.refusals += error.refusals
    yield Finding(OLD_CONFIG, "config", _plan(checkpoint, generation, journal))
    for why in _raised_on(checkpoint, architecture, generation, journal.edits):
        yield Finding(REFUSED, "config", why)
    if generation >= Generation.KERAS_2:  # of the others nothing comes so far
        yield from _edits(REFUSED, _RAISES_WITHOUT, journal.edits)
        yield from _edits(OTHERWISE, _OTHERWISE_WITHOUT, journal.edits)
    yield from _remarks(NO_EXACT_FORM, journal.refusals)
    yield from _remarks(REMARKS, [*journal.losses, *journal.guesses, *journal.needs])


def _plan(checkpoint: Checkpoint, generation: Generation, journal: Journal) -> str:
    """What the model is, and what would be done about it, in a line."""
    version = checkpoint.producer.keras_version
    writer = f"Keras {generation.value}" + (f" ({version})" if version else "")
    counts = Counter(one.edit.name for one in journal.edits)
    edits = ", ".join(f"{count} {name}" for name, count in counts.most_common())
    refused = f", and would refuse {len(journal.refusals):,} things" if journal.refusals else ""
    return f"in the words of {writer}; ckpttool convert would make {len(journal.edits):,} edits ({edits}){refused}"


def _raised_on(
    checkpoint: Checkpoint, architecture: Architecture, generation: Generation, edits: Iterable[Applied]
) -> Iterator[str]:
    """Why Keras 3 raises on the whole file, as far as no single edit tells."""
    if generation < Generation.KERAS_2:
        yield f"Keras 3 does not read configs of Keras {generation.value}"
    elif isinstance(architecture.config.get("config"), list):
        yield "the config of a Sequential model as a list, as Keras wrote it up to 2.2.2"
    if checkpoint.kind not in PATH_KINDS:
        return
    if any(one.edit is CONNECT for one in edits):
        yield "a graph of layers in a .keras of Keras 2, which names modules that Keras 3 does not have"
    found = verify(checkpoint, architecture, by="path")
    if found.keras == "raises":
        yield f"Keras 3 does not find its weights: {found.failures[0].why if found.failures else found.problems[0]}"


def _edits(rule: Rule, kinds: frozenset[Edit], edits: Iterable[Applied]) -> Iterator[Told]:
    """One finding for each kind of edit: where it is made first, and how often."""
    places = dict[Edit, list[Applied]]()
    for one in edits:
        if one.edit in kinds:
            places.setdefault(one.edit, []).append(one)
    for edit, found in places.items():
        detail = f" ({found[0].detail})" if found[0].detail else ""
        more = f", and in {len(found) - 1:,} more places" if len(found) > 1 else ""
        yield Finding(rule, found[0].where, f"{edit.name}{detail}{more}: convert {edit.does}")


def _remarks(rule: Rule, remarks: Iterable[Remark]) -> Iterator[Told]:
    for remark in dict.fromkeys(remarks):
        yield Finding(rule, remark.where, remark.what)
