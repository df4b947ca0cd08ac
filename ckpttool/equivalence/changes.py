"""The differences between two checkpoints as written that have no meaning, since `convert` makes the same change."""

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
from ckpttool.paths import join_path

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
    """The weights, names, layers and settings that are written in another form and mean the same, by side.

    `left` are the settings whose meaning differs, too. Changes that both sides have in common are left out.
    """
    different = {(change.layer, change.key) for change in left}
    settings = [setting for setting in _settings(sides, restated) if (setting.layer, setting.key) not in different]
    by_side = [
        list(_of_side(mark, written, settings)) if written else [] for mark, written in zip("ab", restated, strict=True)
    ]
    ours, theirs = ({(change.what, change.where) for change in side} for side in by_side)
    common = ours & theirs
    changes = [change for side in by_side for change in side if (change.what, change.where) not in common]
    yield from changes
    if settings and not changes and not common:  # the difference is in the spelling of arguments alone
        mark = "a" if restated[0] else "b"
        yield Restated(mark, _counted(len(settings), "setting", "written otherwise"), tuple(_named(settings)))


def _settings(
    sides: tuple[Checkpoint, Checkpoint], restated: tuple[Restatement | None, Restatement | None]
) -> Iterable[ConfigChange]:
    """The differences between the configs as written; a layer that the conversion renames is compared with itself."""
    ours, theirs = (dict(restatement.prepared.renamed) if restatement else {} for restatement in restated)
    renamed = {**ours, **{new: old for old, new in theirs.items()}}
    return (change for change in config_changes(*sides, renamed) if change.kind != VERSION)


def _named(settings: Iterable[ConfigChange]) -> Iterator[str]:
    yield from dict.fromkeys(join_path(change.layer, change.key) for change in settings)


def _of_side(mark: str, restatement: Restatement, settings: Iterable[ConfigChange]) -> Iterator[Restated]:
    """The changes of one side."""
    weights = defaultdict[str, list[str]](list)
    for placed in restatement.prepared.placed:
        for change in placed.changes:
            if not change.startswith((JOINED, TURNED)):  # `comparison` joins and turns weights itself
                weights[change].append(placed.place.label)
    for change, labels in weights.items():
        yield Restated(mark, _counted(len(labels), "weight", change), tuple(labels))
    layers = {name for change in settings for name in (change.layer, change.new_layer) if name}
    if any(change.kind in (COMPILE, OPTIMIZER) for change in settings):
        layers.add(WHERE)
    renamed = [applied for applied in restatement.journal.edits if applied.edit is RENAME_LAYER]
    if renamed:
        yield Restated(mark, _counted(len(renamed), "layer", "renamed"), tuple(applied.where for applied in renamed))
    edits = defaultdict[Edit, list[Applied]](list)
    for applied in restatement.journal.edits:
        if applied.edit not in _SHOWN_BY_OTHERS | _SPELLINGS and applied.where in layers:
            edits[applied.edit].append(applied)
    for edit, uses in edits.items():
        yield Restated(mark, _description(edit, uses), tuple(dict.fromkeys(applied.where for applied in uses)))


def _description(edit: Edit, uses: list[Applied]) -> str:
    """The description of the uses of one edit: their number, and the first details."""
    details = list(dict.fromkeys(applied.detail for applied in uses if applied.detail))
    shown = ", ".join(details[:_MOST_DETAILS]) + (", ..." if len(details) > _MOST_DETAILS else "")
    return f"{len(uses):,} {edit.name}" + (f" ({shown})" if shown else "")


def _counted(count: int, noun: str, change: str) -> str:
    return f"{count:,} {noun}{'s' * (count > 1)} {change}"
