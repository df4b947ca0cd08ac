"""Which Keras loads a checkpoint, and what `ckpttool convert` would do about it: told from a plan that is not carried
out."""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from functools import partial

from ckpttool.architecture import Architecture
from ckpttool.architecture.dialects import Generation, generation_of
from ckpttool.checkpoint import Checkpoint
from ckpttool.checks.rule import Finding, Rule, Severity, Told
from ckpttool.checks.subject import Subject
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
from ckpttool.conversion.rewriting import CONNECT, PLAIN, RENAME_LAYER, STATE_INPUT, rewrite
from ckpttool.conversion.settling import WRITE_BACKWARD
from ckpttool.errors import CheckpointError
from ckpttool.formats.weights_h5 import PATH_KINDS
from ckpttool.verifying import verify

_warning, _info = (partial(Rule, family="portability", severity=level) for level in (Severity.WARNING, Severity.INFO))

OLD_CONFIG = _info(
    code="P101",
    name="old-config",
    finds="A model in the words of Keras 0, 1 or 2.",
    why="tf_keras reads what Keras 2 wrote; Keras 3 reads some of it, and not all of that as it was meant.",
    remedy="See what would change with `ckpttool convert --dry-run`, and convert it.",
)

REFUSED = _warning(
    code="P102",
    name="refused-by-keras-3",
    finds="Something that Keras 3 raises on: arguments and classes that are gone, old forms of configs and files.",
    why="The model cannot be loaded where Keras 3 is installed.",
    remedy="Bring it into Keras 3 with `ckpttool convert`.",
)

OTHERWISE = _warning(
    code="P103",
    name="computed-otherwise",
    finds="Something that Keras 3 takes without a word and means otherwise: hard_sigmoid, old defaults, input shapes.",
    why="The model loads, and its predictions are not those that it was trained to make.",
    remedy="Bring it into Keras 3 with `ckpttool convert`, which makes up for it.",
)

NO_EXACT_FORM = _warning(
    code="P104",
    name="no-exact-form",
    finds="Something for which Keras 3 has no form of its own, such as the code of a Lambda layer.",
    why="Keras 3 refuses it by default, and `ckpttool convert` does not convert it without help.",
    remedy="Give `ckpttool convert` what it asks for, such as --replace, or rebuild that part of the model.",
)

OWN_CODE = _info(
    code="P105",
    name="needs-own-code",
    finds="Classes and functions that are not built into Keras.",
    why="The model loads only where the code that registers them is imported.",
    remedy="Ship that code with the model, in the version that it was trained with.",
)

REMARKS = _info(
    code="P106",
    name="conversion-remarks",
    finds="What a conversion would leave behind, or had to guess.",
    why="The converted model may not go on training where the old one stopped.",
    remedy="Read the plan: `ckpttool convert --dry-run`.",
)

RULES = (OLD_CONFIG, REFUSED, OTHERWISE, NO_EXACT_FORM, OWN_CODE, REMARKS)

# What Keras 3.15 does with a model that lacks an edit.
_RAISES_WITHOUT = frozenset({words.DROP_NEUTRAL, equivalents.REPLACE_LAYER, operations.REPLACE_OPERATION, RENAME_LAYER})
_OTHERWISE_WITHOUT = frozenset(
    {
        *(activations.SCALE_WEIGHTS, activations.SCALE_INPUT, activations.KEEP_WEIGHTS),
        *(padding.WRITE_PADDING, words.WRITE_DEFAULT, WRITE_BACKWARD, STATE_INPUT),
    }
)


def portability(subject: Subject) -> Iterator[Told]:
    """What stands between a model and Keras 3."""
    checkpoint, architecture = subject.checkpoint, subject.architecture
    if checkpoint is None:
        return
    if checkpoint.kind == "keras0-weights":
        yield Finding(REFUSED, "", "the layout of Keras 0.x, in which Keras 3 finds no layers")
    if architecture is None or not architecture.layers or subject.alignment_error is not None:
        return
    generation = generation_of(architecture.config, checkpoint.producer.keras_version)
    if generation is Generation.KERAS_3:
        yield from _of_today(architecture)
    else:
        yield from _of_old(checkpoint, architecture, generation)


def _of_today(architecture: Architecture) -> Iterator[Told]:
    journal = Journal()
    try:
        rewrite(architecture.config, Generation.KERAS_3, journal)
    except CheckpointError:  # newer words than are known here, which tell nothing of the file
        return
    yield from _remarks(NO_EXACT_FORM, journal.refusals)
    yield from _remarks(OWN_CODE, journal.needs)


def _of_old(checkpoint: Checkpoint, architecture: Architecture, generation: Generation) -> Iterator[Told]:
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
    yield from _remarks(OWN_CODE, journal.needs)
    yield from _remarks(REMARKS, [*journal.losses, *journal.guesses])


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


CHECKS: tuple[Callable[[Subject], Iterator[Told]], ...] = (portability,)
