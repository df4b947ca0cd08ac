"""The diff of two checkpoints: weights paired, values compared, layers found again under other names, configs."""

from __future__ import annotations

import fnmatch
import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from ckpttool.arrays.comparison import Tolerance
from ckpttool.arrays.value_pairs import compare
from ckpttool.checkpoint import Checkpoint, Section, Weight
from ckpttool.comparison.configs import config_changes, layer_pairs
from ckpttool.comparison.likeness import Likeness, content_key, contents_are_equal
from ckpttool.comparison.matches import Evidence, Layers, Match, Matches, by_content, by_likeness, match, match_layers
from ckpttool.comparison.result import Diff, Move, Pair, Side, State, in_order
from ckpttool.comparison.weights import Unit, Units, units_of
from ckpttool.errors import CheckpointError
from ckpttool.formats import open_checkpoint
from ckpttool.inspection.info import Optimizer, optimizer_of
from ckpttool.model import Architecture, architecture_of

EXACT = Tolerance()

Progress = Callable[[int], None]


def ignored(nbytes: int) -> None:
    """Progress that nobody asks for."""


@dataclass(frozen=True, slots=True)
class Scope:
    """What is compared, and what counts as a difference: the tolerance, globs over layers, weights and paths (none:
    all), and whether the state of the optimizer counts. `architecture` is for a side that stores none. `exact` counts
    what `convert` changes without a change of meaning, too."""

    tolerance: Tolerance = EXACT
    match: tuple[str, ...] = ()
    optimizer: bool = False
    architecture: Architecture | None = None
    exact: bool = False

    def takes(self, unit: Unit) -> bool:
        """Whether a weight is compared."""
        return self.takes_any(unit.names)

    def takes_any(self, names: Iterable[str]) -> bool:
        """Whether what has these names is compared."""
        return not self.match or any(fnmatch.fnmatchcase(name, glob) for name in names for glob in self.match)


def diff(
    a: Checkpoint | str | os.PathLike[str],
    b: Checkpoint | str | os.PathLike[str],
    scope: Scope = Scope(),
    progress: Progress = ignored,
) -> Diff:
    """What changed from checkpoint `a` to checkpoint `b`, of any formats and any generations of Keras.

    `progress` is told the bytes that were compared, of both sides. Raises CheckpointError where one of the two cannot
    be opened; a weight that cannot be read is among the `unreadable` of the result.
    """
    if not isinstance(a, Checkpoint):
        with open_checkpoint(a) as opened:
            return diff(opened, b, scope, progress)
    if not isinstance(b, Checkpoint):
        with open_checkpoint(b) as opened:
            return diff(a, opened, scope, progress)
    return _diff(a, b, scope, progress)


def _diff(a: Checkpoint, b: Checkpoint, scope: Scope, progress: Progress) -> Diff:
    for side in (a, b):
        side.require_one_view()
        if side.check_bytes is not None:
            side.check_bytes()
    architectures = _architectures(a, b, scope.architecture)
    units = [_scoped(units_of(side, found), scope) for side, found in zip((a, b), architectures, strict=True)]
    pairing = _Pairing(units[0], units[1], scope.tolerance, progress)
    found = pairing.run(layer_pairs(a, b))
    moves = _moves(found)
    return Diff(
        side_of(a),
        side_of(b),
        in_order(map(pairing.pair, found.pairs)),
        found.removed,
        found.added,
        moves,
        () if scope.match else config_changes(a, b, {move.layer: move.new_layer for move in moves}),
        state_changes(a, b, scope, progress),
        scope.optimizer,
        tuple(_notes(a, b, units)),
    )


def _architectures(
    a: Checkpoint, b: Checkpoint, given: Architecture | None
) -> tuple[Architecture | None, Architecture | None]:
    """The architecture of each side: its own, else the given one, else that of the other side."""
    own = tuple(architecture_of(one) for one in (a, b))
    return own[0] or given or own[1], own[1] or given or own[0]


def _scoped(units: Units, scope: Scope) -> Units:
    return Units(tuple(unit for unit in units.units if scope.takes(unit)), units.problem)


def side_of(checkpoint: Checkpoint) -> Side:
    """A checkpoint as one side of a diff."""
    return Side(checkpoint.path, checkpoint.kind, checkpoint.producer, checkpoint.size)


def _notes(a: Checkpoint, b: Checkpoint, units: Sequence[Units]) -> Iterator[str]:
    for side, found in zip((a, b), units, strict=True):
        if found.problem:
            yield f"{side.path}: the config does not say which weights the model has: {found.problem}"
    without = [str(side.path) for side in (a, b) if side.config is None]
    if len(without) == 1:
        yield f"{without[0]} stores no config: configs are not compared"


def _moves(found: Matches) -> tuple[Move, ...]:
    """The layers with another name, by their names in `a`."""
    sources = {name for name, (other, _) in found.layers.items() if name != other}
    return tuple(
        Move(name, found.layers[name][0], found.layers[name][1], found.layers[name][0] in sources)
        for name in sorted(sources)
    )


@dataclass(slots=True)
class _Pairing:
    """The search for pairs: what was compared so far is kept, as comparing costs reading."""

    a: Units
    b: Units
    tolerance: Tolerance
    progress: Progress
    done: dict[tuple[str, str], Pair] = field(default_factory=dict)

    def run(self, known: Mapping[str, str]) -> Matches:
        """The pairs by name, and then those of layers that are found elsewhere by what they hold."""
        left, right = self.a.by_layer(), self.b.by_layer()
        layers = match_layers(left, right, known)
        found = match(self.a, self.b, layers)
        doubtful = self._without_equal(found, left, right)
        moved = by_content(*doubtful, content_key, contents_are_equal)
        layers = _with_moved(layers, moved, Evidence.CONTENT)
        taken = {other for other, _ in layers.values()}
        alone = {name: left[name] for name in left if name not in layers}
        others = {name: right[name] for name in right if name not in taken}
        layers = _with_moved(layers, by_likeness(alone, others, Likeness()), Evidence.LIKENESS)
        return match(self.a, self.b, layers)

    def pair(self, found: Match) -> Pair:
        """A pair with the comparison of its values."""
        key = found.a.path, found.b.path
        if key not in self.done:
            self.done[key] = _compared(found, self.tolerance, self.progress)
        return replace(self.done[key], evidence=found.evidence)

    def _without_equal(self, found: Matches, left: Layers, right: Layers) -> tuple[Layers, Layers]:
        """The layers on both sides but those whose weights are all found unchanged in the layer that goes with them."""
        whole = dict.fromkeys(found.layers, True)
        for pair in map(self.pair, found.pairs):
            whole[pair.a.layer] &= pair.comparison is not None and pair.comparison.identical
        for unit in found.removed:
            whole[unit.layer] = False
        partners = {found.layers[name][0] for name, is_whole in whole.items() if is_whole and name in found.layers}
        partners -= {unit.layer for unit in found.added}
        return (
            {name: units for name, units in left.items() if found.layers.get(name, ("",))[0] not in partners},
            {name: units for name, units in right.items() if name not in partners},
        )


def _with_moved(
    layers: Mapping[str, tuple[str, Evidence]], moved: Mapping[str, str], evidence: Evidence
) -> dict[str, tuple[str, Evidence]]:
    """The layers that go together, with those that were found elsewhere; who they were with before is left alone."""
    news = {name: other for name, other in moved.items() if layers.get(name, ("",))[0] != other}
    taken = set(news.values())
    kept = {name: pair for name, pair in layers.items() if name not in news and pair[0] not in taken}
    return kept | {name: (other, evidence) for name, other in news.items()}


def _compared(found: Match, tolerance: Tolerance, progress: Progress) -> Pair:
    """A pair with its comparison, without one where shapes differ, and with the reason where it cannot be read."""
    a, b = found.a, found.b
    if a.shape != b.shape:
        return Pair(a, b, found.evidence)
    try:
        return Pair(a, b, found.evidence, compare(a.weight, b.weight, tolerance, progress))
    except CheckpointError as error:
        return Pair(a, b, found.evidence, problem=error.what)


def state_changes(a: Checkpoint, b: Checkpoint, scope: Scope, progress: Progress = ignored) -> State | None:
    """The optimizers side by side: variables of one place go together, and where the layouts differ those of one
    order, which is that of the optimizer's variables in all of them."""
    told = optimizer_of(a), optimizer_of(b)
    sides = [[_variable(weight) for weight in side.section(Section.OPTIMIZER)] for side in (a, b)]
    if told == (None, None):
        return None
    pairs = list(_state_pairs(*sides))
    taken = {id(pair.a) for pair in pairs} | {id(pair.b) for pair in pairs}
    return State(
        _both(told, "class_name"),
        _both(told, "iteration"),
        _both(told, "learning_rate"),
        in_order(_compared(pair, scope.tolerance, progress) for pair in pairs),
        *(tuple(unit for unit in side if id(unit) not in taken) for side in sides),
    )


def _variable(weight: Weight) -> Unit:
    return Unit("optimizer", weight.name or weight.path, weight.path, weight.shape, weight.dtype, weight=weight)


def _state_pairs(ours: Sequence[Unit], theirs: Sequence[Unit]) -> Iterator[Match]:
    by_path = {unit.path: unit for unit in theirs}
    if any(unit.path in by_path for unit in ours):
        yield from (Match(unit, by_path[unit.path], Evidence.PATH) for unit in ours if unit.path in by_path)
    elif [unit.shape for unit in ours] == [unit.shape for unit in theirs]:
        yield from (Match(one, other, Evidence.ORDER) for one, other in zip(ours, theirs, strict=True))


def _both(told: tuple[Optimizer | None, Optimizer | None], fact: str) -> tuple[Any, Any]:
    one, other = (getattr(side, fact, None) for side in told)
    return one, other
