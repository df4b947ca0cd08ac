"""The result of a diff: pairs of weights with their comparison, weights without a partner, and all other changes."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path

from ckpttool.arrays.comparison import Comparison
from ckpttool.arrays.histograms import Histogram
from ckpttool.checkpoint import Producer
from ckpttool.comparison.assets import AssetChange
from ckpttool.comparison.change import VERSION, ConfigChange
from ckpttool.comparison.matches import Evidence
from ckpttool.comparison.weights import Unit
from ckpttool.escape import brief
from ckpttool.notebook import Displayed

PARTS = ("structure", "values", "config", "optimizer", "assets")
"""The parts of two checkpoints that may be different."""


@dataclass(frozen=True, slots=True)
class Pair:
    """Two weights that belong together, the evidence for that, and the comparison of their values.

    `comparison` is None where shapes differ, or where the values of one cannot be read; `problem` says why.
    `histograms` are those of both weights, of a pair that changed, where pictures were asked for.
    """

    a: Unit
    b: Unit
    evidence: Evidence
    comparison: Comparison | None = None
    problem: str = ""
    histograms: tuple[Histogram, Histogram] | None = None

    __repr__ = brief

    @property
    def changed(self) -> bool:
        """Whether any value changed."""
        return self.comparison is not None and self.comparison.changed > 0

    def inverted(self) -> Pair:
        """The pair from the second checkpoint to the first."""
        return replace(
            self,
            a=self.b,
            b=self.a,
            comparison=self.comparison and self.comparison.inverted(),
            histograms=self.histograms and (self.histograms[1], self.histograms[0]),
        )


@dataclass(frozen=True, slots=True)
class LayerChange:
    """The pairs of one layer: `layer` by its name in `a`, `new_layer` in `b`."""

    layer: str
    new_layer: str
    pairs: tuple[Pair, ...]

    __repr__ = brief

    @property
    def comparison(self) -> Comparison:
        """The comparison of all compared values of the layer, as one."""
        return merged(self.pairs)


@dataclass(frozen=True, slots=True)
class Move:
    """A layer with another name: `layer` in `a`, `new_layer` in `b`; `evidence` says why these are the same layer.

    `swapped` says that another layer has the new name in `a`, whose weights are under yet another name in `b`.
    """

    layer: str
    new_layer: str
    evidence: Evidence
    swapped: bool = False

    __repr__ = brief

    def inverted(self) -> Move:
        """The move from the second checkpoint to the first."""
        return replace(self, layer=self.new_layer, new_layer=self.layer)


@dataclass(frozen=True, slots=True)
class State:
    """The state of both optimizers: classes, iterations, learning rates, pairs of variables, and unpaired variables."""

    class_names: tuple[str | None, str | None]
    iterations: tuple[int | None, int | None]
    learning_rates: tuple[float | None, float | None]
    pairs: tuple[Pair, ...] = ()
    removed: tuple[Unit, ...] = ()
    added: tuple[Unit, ...] = ()

    __repr__ = brief

    @property
    def is_changed(self) -> bool:
        """Whether any variable differs, cannot be compared, or is on one side alone."""
        return bool(self.removed or self.added) or any(pair.changed or not pair.comparison for pair in self.pairs)

    def inverted(self) -> State:
        """The state from the second checkpoint to the first."""
        return State(
            self.class_names[::-1],
            self.iterations[::-1],
            self.learning_rates[::-1],
            in_order(pair.inverted() for pair in self.pairs),
            self.added,
            self.removed,
        )


@dataclass(frozen=True, slots=True)
class Restated:
    """A change that brought one side into the form of Keras 3 before the comparison, without a change of meaning.

    `side` is "a" or "b", `what` says what was changed, `where` are the changed layers, weights or settings.
    """

    side: str
    what: str
    where: tuple[str, ...]

    __repr__ = brief

    def inverted(self) -> Restated:
        """The same change, seen from the second checkpoint."""
        return replace(self, side={"a": "b", "b": "a"}[self.side])


@dataclass(frozen=True, slots=True)
class Side:
    """A checkpoint of the two that were compared."""

    path: Path
    kind: str
    producer: Producer
    size: int

    __repr__ = brief


@dataclass(frozen=True, slots=True)
class Diff(Displayed):
    """The changes from checkpoint `a` to checkpoint `b`.

    `pairs` are all paired weights, the most changed first; `removed` are the weights of `a` alone, `added` those of `b`
    alone, `moves` the layers with another name. `state` is None where neither side has an optimizer; it counts as a
    difference only with `counts_state`. `notes` say what was not compared, and why. `restated` are the changes that
    brought an older side into the form of Keras 3 before the comparison; they are no difference. `assets` are the
    changed files beside the weights. `has_configs` says that both sides have a config, which was compared.
    """

    a: Side
    b: Side
    pairs: tuple[Pair, ...] = ()
    removed: tuple[Unit, ...] = ()
    added: tuple[Unit, ...] = ()
    moves: tuple[Move, ...] = ()
    config: tuple[ConfigChange, ...] = ()
    state: State | None = None
    counts_state: bool = False
    notes: tuple[str, ...] = ()
    restated: tuple[Restated, ...] = ()
    assets: tuple[AssetChange, ...] = ()
    has_configs: bool = False

    def __repr__(self) -> str:
        parts = ", ".join(part for part in PARTS if part in self.differences) or "the same"
        return f"<Diff {self.a.path.name!r} to {self.b.path.name!r}: {parts}, {len(self.pairs):,} weights compared>"

    @property
    def changed(self) -> tuple[Pair, ...]:
        """The pairs in which a value changed."""
        return tuple(pair for pair in self.pairs if pair.changed)

    @property
    def reshaped(self) -> tuple[Pair, ...]:
        """The pairs of unequal shapes, whose values cannot be compared."""
        return tuple(pair for pair in self.pairs if pair.a.shape != pair.b.shape)

    @property
    def retyped(self) -> tuple[Pair, ...]:
        """The pairs of equal shapes and unequal dtypes."""
        return tuple(pair for pair in self.pairs if pair.a.shape == pair.b.shape and pair.a.dtype != pair.b.dtype)

    @property
    def unreadable(self) -> tuple[Pair, ...]:
        """The pairs in which the values of one weight cannot be read, those of the optimizer included."""
        return tuple(pair for pair in (*self.pairs, *(self.state.pairs if self.state else ())) if pair.problem)

    @property
    def settings(self) -> tuple[ConfigChange, ...]:
        """The changes of configs that count as differences: all but those of the Keras version and the backend."""
        return tuple(change for change in self.config if change.kind != VERSION)

    @property
    def differences(self) -> frozenset[str]:
        """The different parts, of `PARTS`."""
        differs = (
            any((self.removed, self.added, self.moves, self.reshaped, self.retyped)),
            any(pair.changed for pair in self.pairs),
            bool(self.settings),
            self.counts_state and self.state is not None and self.state.is_changed,
            bool(self.assets),
        )
        return frozenset(part for part, differs in zip(PARTS, differs, strict=True) if differs)

    @property
    def is_complete(self) -> bool:
        """Whether everything was compared, and there was something to compare."""
        compared = self.pairs or self.removed or self.added or self.config or self.assets or self.has_configs
        return not self.unreadable and bool(compared)

    @property
    def total(self) -> Comparison:
        """The comparison of all compared values, as one."""
        return merged(self.pairs)

    def by_layer(self) -> tuple[LayerChange, ...]:
        """The pairs by layer, the most changed first."""
        gathered: dict[tuple[str, str], list[Pair]] = {}
        for pair in self.pairs:
            gathered.setdefault((pair.a.layer, pair.b.layer), []).append(pair)
        layers = [LayerChange(*names, tuple(pairs)) for names, pairs in gathered.items()]
        return tuple(sorted(layers, key=lambda layer: (-layer.comparison.relative_l2, layer.layer, layer.new_layer)))

    def inverted(self) -> Diff:
        """The diff from `b` to `a`."""
        return replace(
            self,
            a=self.b,
            b=self.a,
            pairs=in_order(pair.inverted() for pair in self.pairs),
            removed=self.added,
            added=self.removed,
            moves=tuple(sorted((move.inverted() for move in self.moves), key=lambda move: move.layer)),
            config=tuple(change.inverted() for change in self.config),
            state=self.state and self.state.inverted(),
            restated=tuple(restated.inverted() for restated in self.restated),
            assets=tuple(change.inverted() for change in self.assets),
        )


def in_order(pairs: Iterable[Pair]) -> tuple[Pair, ...]:
    """The pairs, the most changed first: those that cannot be compared, then by the difference relative to `a`."""
    return tuple(sorted(pairs, key=lambda pair: (*_rank(pair), pair.a.name, pair.b.name)))


def _rank(pair: Pair) -> tuple[bool, bool, float]:
    comparison = pair.comparison
    return comparison is not None, not pair.changed, -comparison.relative_l2 if comparison else 0.0


def merged(pairs: Iterable[Pair]) -> Comparison:
    """The comparison of the values of several pairs, as one."""
    total = Comparison()
    for pair in pairs:
        if pair.comparison is not None:
            total = total.merged(pair.comparison)
    return total
