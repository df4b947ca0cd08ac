"""The comparison of two checkpoints in the form of Keras 3; the result has the names that the files have."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

from ckpttool.checkpoint import Checkpoint, Section
from ckpttool.comparison import ConfigChange, Diff, Move, Pair, Scope, State, Unit
from ckpttool.comparison import diff as as_written
from ckpttool.comparison.change import ARGUMENT, VERSION
from ckpttool.comparison.checkpoints import Progress, side_of, state_changes
from ckpttool.comparison.configs import version_changes
from ckpttool.conversion.compile.optimizer_state import BEGIN
from ckpttool.conversion.config.lambdas import REPLACE_LAMBDA
from ckpttool.equivalence.changes import changes_without_meaning
from ckpttool.equivalence.restatement import Restatement, chosen_for, restatement
from ckpttool.errors import CheckpointError, ConversionError
from ckpttool.model import Architecture
from ckpttool.model.generations.generation import Generation, generation_of

_CODE = "code of another Python"
_Restatements = tuple[Restatement | None, Restatement | None]


@dataclass(frozen=True, slots=True)
class Source:
    """A checkpoint of two that are compared, the architecture that its layers are known from, and its generation."""

    checkpoint: Checkpoint
    architecture: Architecture | None
    generation: Generation


def restated_diff(a: Source, b: Source, scope: Scope, progress: Progress) -> Diff:
    """The diff of two checkpoints, of which those of an older Keras have the form that `convert` would write.

    Both are compared as written, with a note, where one has no exact form in Keras 3.
    """
    try:
        restated = _restated(a, b.checkpoint), _restated(b, a.checkpoint)
    except CheckpointError as error:
        plain = as_written(a.checkpoint, b.checkpoint, scope, progress)
        return replace(plain, notes=(*plain.notes, _why_not(error)))
    ours, theirs = (
        written.checkpoint if written else of.checkpoint for written, of in zip(restated, (a, b), strict=True)
    )
    # Globs may have the names of the file or those of Keras 3: they are applied when both are known, at the end.
    everything = replace(scope, match=(), architecture=_substitute(restated, scope))
    sides = a.checkpoint, b.checkpoint
    result = _as_stored(as_written(ours, theirs, everything, progress), sides, restated)
    return _matching(replace(result, state=_state(result.state, sides, restated, scope)), restated, scope)


def _restated(source: Source, other: Checkpoint) -> Restatement | None:
    """One side as `convert` would write it; None where Keras 3 wrote it, or no architecture is known."""
    if source.generation is Generation.KERAS_3 or source.architecture is None:
        return None
    return restatement(source.checkpoint, source.architecture, chosen_for(other.config))


def _state(
    converted: State | None, sides: tuple[Checkpoint, Checkpoint], restated: _Restatements, scope: Scope
) -> State | None:
    """The state of both optimizers: as stored where the conversion of one side would lose its state, else converted."""
    if any(written is not None and _loses_state(written, side) for written, side in zip(restated, sides, strict=True)):
        return state_changes(*sides, scope)
    return converted


def _loses_state(restated: Restatement, side: Checkpoint) -> bool:
    begins_anew = any(applied.edit is BEGIN for applied in restated.journal.edits)
    carried = restated.checkpoint.section(Section.OPTIMIZER)
    return bool(side.section(Section.OPTIMIZER)) and (begins_anew or not carried)


def _why_not(error: CheckpointError) -> str:
    refusals = error.refusals if isinstance(error, ConversionError) else ()
    first = f": {refusals[0].where}: {refusals[0].what}" if refusals else ""
    more = f", and {len(refusals) - 1:,} more" if len(refusals) > 1 else ""
    return f"{error.path or 'one side'}: compared as it is written: {error.what}{first}{more}"


def _substitute(restated: _Restatements, scope: Scope) -> Architecture | None:
    """The architecture for a side that stores none."""
    for written in restated:
        if written is not None and written.checkpoint.config is None:
            return written.architecture
    asked = scope.architecture
    return asked if asked is not None and generation_of(asked.config) is Generation.KERAS_3 else None


def _as_stored(converted: Diff, sides: tuple[Checkpoint, Checkpoint], restated: _Restatements) -> Diff:
    """A diff with the names and paths of the files in place of those of Keras 3."""
    names = tuple(_Names.of(written) for written in restated)
    config = [_renamed_change(change, *names) for change in converted.config if change.kind != VERSION]
    return replace(
        converted,
        a=side_of(sides[0]),
        b=side_of(sides[1]),
        pairs=tuple(_renamed_pair(pair, *names) for pair in converted.pairs),
        removed=(*map(names[0].unit, converted.removed), *_left(restated[0])),
        added=(*map(names[1].unit, converted.added), *_left(restated[1])),
        moves=tuple(_renamed_move(move, *names) for move in converted.moves),
        config=(*config, *_replaced(restated), *version_changes(sides[0].producer, sides[1].producer)),
        state=converted.state and _renamed_state(converted.state, *names),
        notes=(*converted.notes, *_remarks(restated)),
        restated=tuple(changes_without_meaning(sides, restated, config)),
    )


def _left(restated: Restatement | None) -> Iterator[Unit]:
    """The weights of a side that its conversion would leave out."""
    for weight in restated.left if restated else ():
        yield Unit(
            weight.layer or "", weight.name or weight.path, weight.path, weight.shape, weight.dtype, weight=weight
        )


class _Names(NamedTuple):
    """The names and paths in a file of the layers and weights that have others in Keras 3."""

    renamed: Mapping[str, str]
    stored: Mapping[str, str]

    @classmethod
    def of(cls, restated: Restatement | None) -> _Names:
        return cls({}, {}) if restated is None else cls(restated.renamed, restated.stored)

    def layer(self, label: str) -> str:
        """The name of a layer in the file."""
        place = label
        while place and place not in self.renamed:
            place = place.rpartition("/")[0]
        return self.renamed[place] + label[len(place) :] if place else label

    def unit(self, unit: Unit) -> Unit:
        """The weight with its layer and path in the file."""
        return replace(unit, layer=self.layer(unit.layer), path=self.stored.get(unit.path, unit.path))


def _renamed_pair(pair: Pair, ours: _Names, theirs: _Names) -> Pair:
    return replace(pair, a=ours.unit(pair.a), b=theirs.unit(pair.b))


def _renamed_move(move: Move, ours: _Names, theirs: _Names) -> Move:
    return replace(move, layer=ours.layer(move.layer), new_layer=theirs.layer(move.new_layer))


def _renamed_change(change: ConfigChange, ours: _Names, theirs: _Names) -> ConfigChange:
    return replace(change, layer=ours.layer(change.layer), new_layer=theirs.layer(change.new_layer))


def _renamed_state(state: State, ours: _Names, theirs: _Names) -> State:
    return replace(
        state,
        pairs=tuple(_renamed_pair(pair, ours, theirs) for pair in state.pairs),
        removed=tuple(map(ours.unit, state.removed)),
        added=tuple(map(theirs.unit, state.added)),
    )


def _replaced(restated: _Restatements) -> Iterator[ConfigChange]:
    """The Lambda layers that have a function of the user's on the other side: no one knows whether it does the same."""
    for at, written in enumerate(restated):
        for applied in written.journal.edits if written else ():
            if applied.edit is REPLACE_LAMBDA:
                values: tuple[Any, Any] = (_CODE, applied.detail)
                old, new = values if at == 0 else values[::-1]
                yield ConfigChange(applied.where, "function", old, new, ARGUMENT, applied.where)


def _remarks(restated: _Restatements) -> Iterator[str]:
    """The notes on each side: facts that are lost in Keras 3, and guesses."""
    for written in restated:
        if written is not None:
            path, journal = written.checkpoint.path, written.journal
            yield from (f"{path}: lost in Keras 3: {remark.where}: {remark.what}" for remark in journal.losses)
            yield from (f"{path}: guessed: {remark.where}: {remark.what}" for remark in journal.guesses)


def _matching(whole: Diff, restated: _Restatements, scope: Scope) -> Diff:
    """The part of a diff that the globs match, by the names of the files and by those of Keras 3."""
    if not scope.match:
        return whole
    keras3_paths = tuple(
        {stored: path for path, stored in written.stored.items()} if written else {} for written in restated
    )

    def names(unit: Unit, at: int) -> tuple[str, ...]:
        return (*unit.names, keras3_paths[at].get(unit.path, unit.path))

    return replace(
        whole,
        pairs=tuple(pair for pair in whole.pairs if scope.takes_any((*names(pair.a, 0), *names(pair.b, 1)))),
        removed=tuple(weight for weight in whole.removed if scope.takes_any(names(weight, 0))),
        added=tuple(weight for weight in whole.added if scope.takes_any(names(weight, 1))),
        moves=tuple(move for move in whole.moves if scope.takes_any((move.layer, move.new_layer))),
        config=(),
    )
