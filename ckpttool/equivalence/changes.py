"""What a comparison of two checkpoints as they are written would show, and `convert` knows to mean nothing."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator

from ckpttool.checkpoint import Checkpoint
from ckpttool.comparison import ConfigChange, Restated
from ckpttool.comparison.change import COMPILE, OPTIMIZER, VERSION
from ckpttool.comparison.configs import config_changes
from ckpttool.conversion.compile.optimizers import WHERE
from ckpttool.conversion.config import argument_edits, hard_sigmoid
from ckpttool.conversion.config.lambdas import REPLACE_LAMBDA
from ckpttool.conversion.config.rewriter import RENAME_LAYER
from ckpttool.conversion.journal import Applied, Edit
from ckpttool.conversion.weights import deviations
from ckpttool.conversion.weights.placement import JOINED, TURNED
from ckpttool.equivalence.restatement import Restatement

_SHOWN_BY_OTHERS = frozenset({hard_sigmoid.SCALE_WEIGHTS, deviations.SQUARE, RENAME_LAYER, REPLACE_LAMBDA})
_SPELLINGS = frozenset(
    {argument_edits.DROP_NEUTRAL, argument_edits.RENAME_ARGUMENT, argument_edits.RESPELL, argument_edits.RESPELL_POLICY}
)
_MOST_DETAILS = 3


def changes_without_meaning(
    sides: tuple[Checkpoint, Checkpoint],
    restated: tuple[Restatement | None, Restatement | None],
    left: Iterable[ConfigChange],
) -> Iterator[Restated]:
    """What is the same in meaning and written otherwise: weights, names, layers and settings, by side.

    `left` are the settings that are different all the same. What both sides have alike is left out.
    """
    different = {(change.layer, change.key) for change in left}
    settings = [one for one in _settings(sides, restated) if (one.layer, one.key) not in different]
    found = [list(_of_side(mark, one, settings)) if one else [] for mark, one in zip("ab", restated, strict=True)]
    common = {(one.what, one.where) for one in found[0]} & {(one.what, one.where) for one in found[1]}
    kept = [one for side in found for one in side if (one.what, one.where) not in common]
    yield from kept
    if settings and not kept and not common:
        mark = "a" if restated[0] else "b"
        yield Restated(mark, _counted(len(settings), "setting", "written otherwise"), tuple(_named(settings)))


def _settings(
    sides: tuple[Checkpoint, Checkpoint], restated: tuple[Restatement | None, Restatement | None]
) -> Iterable[ConfigChange]:
    """What the configs differ in as they are written; layers under another name go together."""
    ours, theirs = (dict(one.prepared.renamed) if one else {} for one in restated)
    renamed = {**ours, **{new: old for old, new in theirs.items()}}
    return (change for change in config_changes(*sides, renamed) if change.kind != VERSION)


def _named(settings: Iterable[ConfigChange]) -> Iterator[str]:
    yield from dict.fromkeys("/".join(filter(None, (one.layer, one.key))) for one in settings)


def _of_side(mark: str, one: Restatement, settings: Iterable[ConfigChange]) -> Iterator[Restated]:
    """What is written otherwise on one side."""
    weights = defaultdict[str, list[str]](list)
    for placed in one.prepared.placed:
        for change in placed.changes:
            if not change.startswith((JOINED, TURNED)):  # the comparison of what is written does so itself
                weights[change].append(placed.place.label)
    for change, labels in weights.items():
        yield Restated(mark, _counted(len(labels), "weight", change), tuple(labels))
    layers = {name for change in settings for name in (change.layer, change.new_layer) if name}
    if any(change.kind in (COMPILE, OPTIMIZER) for change in settings):
        layers.add(WHERE)
    renamed = [applied for applied in one.journal.edits if applied.edit is RENAME_LAYER]
    if renamed:
        yield Restated(mark, _counted(len(renamed), "layer", "renamed"), tuple(applied.where for applied in renamed))
    edits = defaultdict[Edit, list[Applied]](list)
    for applied in one.journal.edits:
        if applied.edit not in _SHOWN_BY_OTHERS | _SPELLINGS and applied.where in layers:
            edits[applied.edit].append(applied)
    for edit, found in edits.items():
        yield Restated(mark, _described(edit, found), tuple(dict.fromkeys(applied.where for applied in found)))


def _described(edit: Edit, found: list[Applied]) -> str:
    """The edits of one kind: how many, and what became of what."""
    details = list(dict.fromkeys(applied.detail for applied in found if applied.detail))
    shown = ", ".join(details[:_MOST_DETAILS]) + (", ..." if len(details) > _MOST_DETAILS else "")
    return f"{len(found):,} {edit.name}" + (f" ({shown})" if shown else "")


def _counted(count: int, noun: str, what: str) -> str:
    return f"{count:,} {noun}{'s' * (count > 1)} {what}"
