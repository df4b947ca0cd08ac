"""The diff of two checkpoints: pairs of weights with their values compared, renamed layers, changes of configs."""

from __future__ import annotations

import fnmatch
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from ckpttool.arrays.comparison import Tolerance
from ckpttool.arrays.statistics import measure
from ckpttool.arrays.value_pairs import compare
from ckpttool.checkpoint import Checkpoint, Section, Weight
from ckpttool.comparison.configs import config_changes, layer_pairs
from ckpttool.comparison.likeness import Likeness, content_key, contents_are_equal
from ckpttool.comparison.matches import Evidence, Layers, Match, Matches, by_content, by_likeness, match, match_layers
from ckpttool.comparison.result import Diff, Move, Pair, Side, State, in_order
from ckpttool.comparison.weights import Unit, Units, units_of
from ckpttool.errors import CheckpointError
from ckpttool.escape import brief
from ckpttool.inspection.info import Optimizer, optimizer_of
from ckpttool.model import Architecture, architecture_of

EXACT = Tolerance()

Progress = Callable[[int], None]


def no_progress(nbytes: int) -> None:
    """Report no progress."""


@dataclass(frozen=True, slots=True)
class Scope:
    """The parts of two checkpoints to compare, and the differences that count.

    `match` are globs over layers, weights and paths; empty for all. `optimizer` says whether the state of the optimizer
    counts. `architecture` is for a side that stores none. With `exact`, changes that `convert` makes without a change
    of meaning count, too. With `pictures`, changed pairs get histograms, for which their values are read once more.
    """

    tolerance: Tolerance = EXACT
    match: tuple[str, ...] = ()
    optimizer: bool = False
    architecture: Architecture | None = None
    exact: bool = False
    pictures: bool = False

    __repr__ = brief

    def takes(self, unit: Unit) -> bool:
        """Whether a weight is compared."""
        return self.takes_any(unit.names)

    def takes_any(self, names: Iterable[str]) -> bool:
        """Whether an object with these names is compared."""
        return not self.match or any(fnmatch.fnmatchcase(name, glob) for name in names for glob in self.match)


def diff(a: Checkpoint, b: Checkpoint, scope: Scope = Scope(), progress: Progress = no_progress) -> Diff:
    """The changes from one open checkpoint to another, of any formats and any generations of Keras.

    `progress` is called with the number of bytes that were compared, of both sides. Raises CheckpointError where the
    bytes of one are damaged; a weight that cannot be read is among the `unreadable` of the result.
    """
    for side in (a, b):
        side.require_one_view()
        side.require_intact()  # else a damaged file would show as changed values
    architectures = _architectures(a, b, scope.architecture)
    units = [_scoped(units_of(side, own), scope) for side, own in zip((a, b), architectures, strict=True)]
    pairing = _Pairing(units[0], units[1], scope.tolerance, progress)
    matches = pairing.run(layer_pairs(a, b))
    moves = _moves(matches)
    return Diff(
        side_of(a),
        side_of(b),
        in_order(_with_histograms(pair) if scope.pictures else pair for pair in map(pairing.pair, matches.pairs)),
        matches.removed,
        matches.added,
        moves,
        () if scope.match else config_changes(a, b, {move.layer: move.new_layer for move in moves}),
        state_changes(a, b, scope, progress),
        scope.optimizer,
        tuple(_notes(a, b, units)),
        has_configs=not scope.match and a.config is not None and b.config is not None,
    )


def _architectures(
    a: Checkpoint, b: Checkpoint, substitute: Architecture | None
) -> tuple[Architecture | None, Architecture | None]:
    """The architecture of each side: its own, else the user's, else the one of the other side."""
    own = tuple(architecture_of(side) for side in (a, b))
    return own[0] or substitute or own[1], own[1] or substitute or own[0]


def _scoped(units: Units, scope: Scope) -> Units:
    return Units(tuple(unit for unit in units.units if scope.takes(unit)), units.problem)


def side_of(checkpoint: Checkpoint) -> Side:
    """A checkpoint as one side of a diff."""
    return Side(checkpoint.path, checkpoint.kind, checkpoint.producer, checkpoint.size)


def _notes(a: Checkpoint, b: Checkpoint, units: Sequence[Units]) -> Iterator[str]:
    for side, weights in zip((a, b), units, strict=True):
        if weights.problem:
            yield f"{side.path}: the config does not say which weights the model has: {weights.problem}"
    without = [str(side.path) for side in (a, b) if side.config is None]
    if len(without) == 1:
        yield f"{without[0]} stores no config: configs are not compared"
    if a.saved_model is not None and b.saved_model is not None:
        yield "graphs of SavedModels are not compared: what TensorFlow computes may differ"


def _moves(matches: Matches) -> tuple[Move, ...]:
    """The layers that have another name in `b`, in the order of their names in `a`."""
    renamed = {name: pair for name, pair in sorted(matches.layers.items()) if pair[0] != name}
    return tuple(Move(name, new_name, evidence, new_name in renamed) for name, (new_name, evidence) in renamed.items())


@dataclass(slots=True)
class _Pairing:
    """The search for pairs of weights; `done` are the pairs compared so far: each comparison reads both weights."""

    a: Units
    b: Units
    tolerance: Tolerance
    progress: Progress
    done: dict[tuple[str, str], Pair] = field(default_factory=dict)

    def run(self, known: Mapping[str, str]) -> Matches:
        """The pairs of the layers in `known`, of layers that match by name or order, and of renamed layers.

        Layers that are not equal to their partner may have been renamed: they are matched by equal values, and those
        that are then still without a partner by similar values.
        """
        left, right = self.a.by_layer(), self.b.by_layer()
        layers = match_layers(left, right, known)
        matches = match(self.a, self.b, layers)
        # Two layers of one name may still be different layers, unless all their weights are equal.
        unequal = self._without_equal(matches, left, right)
        moved = by_content(*unequal, content_key, contents_are_equal)
        layers = _with_moved(layers, moved, Evidence.CONTENT)
        taken = {other for other, _ in layers.values()}
        left_alone = {name: left[name] for name in left if name not in layers}
        right_alone = {name: right[name] for name in right if name not in taken}
        layers = _with_moved(layers, by_likeness(left_alone, right_alone, Likeness()), Evidence.LIKENESS)
        return match(self.a, self.b, layers)

    def pair(self, candidate: Match) -> Pair:
        """A pair with the comparison of its values."""
        key = candidate.a.path, candidate.b.path
        if key not in self.done:
            self.done[key] = _compared(candidate, self.tolerance, self.progress)
        return replace(self.done[key], evidence=candidate.evidence)

    def _without_equal(self, matches: Matches, left: Layers, right: Layers) -> tuple[Layers, Layers]:
        """The layers of both sides without those that are equal to their partner in all weights."""
        are_equal = dict.fromkeys(matches.layers, True)
        for pair in map(self.pair, matches.pairs):
            are_equal[pair.a.layer] &= pair.comparison is not None and pair.comparison.identical
        for unit in matches.removed:
            are_equal[unit.layer] = False
        equal = {matches.layers[name][0] for name, is_equal in are_equal.items() if is_equal and name in matches.layers}
        equal -= {unit.layer for unit in matches.added}
        return (
            {name: units for name, units in left.items() if matches.layers.get(name, ("",))[0] not in equal},
            {name: units for name, units in right.items() if name not in equal},
        )


def _with_moved(
    layers: Mapping[str, tuple[str, Evidence]], moved: Mapping[str, str], evidence: Evidence
) -> dict[str, tuple[str, Evidence]]:
    """The matched layers, with new partners for those of `moved`; the partners that they had before have none."""
    new_partners = {name: other for name, other in moved.items() if layers.get(name, ("",))[0] != other}
    taken = set(new_partners.values())
    unmoved = {name: pair for name, pair in layers.items() if name not in new_partners and pair[0] not in taken}
    return unmoved | {name: (other, evidence) for name, other in new_partners.items()}


def _compared(candidate: Match, tolerance: Tolerance, progress: Progress) -> Pair:
    """A pair with its comparison; without one where shapes differ; with the problem where a weight cannot be read."""
    a, b = candidate.a, candidate.b
    if a.shape != b.shape:
        return Pair(a, b, candidate.evidence)
    try:
        return Pair(a, b, candidate.evidence, compare(a.weight, b.weight, tolerance, progress))
    except CheckpointError as error:
        return Pair(a, b, candidate.evidence, problem=error.what)


def _with_histograms(pair: Pair) -> Pair:
    """A pair with the histograms of both weights, if its values changed."""
    if not pair.changed:
        return pair
    a, b = (measure(unit.weight, picture=True).picture for unit in (pair.a, pair.b))
    return replace(pair, histograms=(a.histogram, b.histogram)) if a is not None and b is not None else pair


def state_changes(a: Checkpoint, b: Checkpoint, scope: Scope, progress: Progress = no_progress) -> State | None:
    """The state of both optimizers side by side; None where neither side has an optimizer.

    Variables are paired by path. Where the layouts differ they are paired by order, since every layout stores them in
    the order of the optimizer's variables.
    """
    optimizers = optimizer_of(a), optimizer_of(b)
    sides = [[_variable(weight) for weight in side.section(Section.OPTIMIZER)] for side in (a, b)]
    if optimizers == (None, None):
        return None
    pairs = list(_state_pairs(*sides))
    taken = {id(pair.a) for pair in pairs} | {id(pair.b) for pair in pairs}
    return State(
        _both(optimizers, "class_name"),
        _both(optimizers, "iteration"),
        _both(optimizers, "learning_rate"),
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


def _both(optimizers: tuple[Optimizer | None, Optimizer | None], attribute: str) -> tuple[Any, Any]:
    one, other = (getattr(optimizer, attribute, None) for optimizer in optimizers)
    return one, other
