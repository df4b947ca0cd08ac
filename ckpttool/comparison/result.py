"""What a diff tells: pairs of weights and what their values amount to, what has no partner, what else changed."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path

from ckpttool.arrays.comparison import Comparison
from ckpttool.checkpoint import Producer
from ckpttool.comparison.assets import AssetChange
from ckpttool.comparison.change import VERSION, ConfigChange
from ckpttool.comparison.matches import Evidence
from ckpttool.comparison.weights import Unit

PARTS = ("structure", "values", "config", "optimizer", "assets")
"""What of two checkpoints may be different."""


@dataclass(frozen=True, slots=True)
class Pair:
    """Two weights that go together, by some evidence, and what their values amount to.

    `comparison` is None where there is none: shapes differ, or the values of one cannot be read for the `problem`.
    """

    a: Unit
    b: Unit
    evidence: Evidence
    comparison: Comparison | None = None
    problem: str = ""

    @property
    def changed(self) -> bool:
        """Whether some value changed."""
        return self.comparison is not None and self.comparison.changed > 0

    def inverted(self) -> Pair:
        """The pair from the second checkpoint to the first."""
        found = self.comparison and self.comparison.inverted()
        return replace(self, a=self.b, b=self.a, comparison=found)


@dataclass(frozen=True, slots=True)
class LayerChange:
    """The pairs of one layer: `layer` by its name in `a`, `new_layer` in `b`."""

    layer: str
    new_layer: str
    pairs: tuple[Pair, ...]

    @property
    def comparison(self) -> Comparison:
        """The comparison of all its values that were compared, as one."""
        return merged(self.pairs)


@dataclass(frozen=True, slots=True)
class Move:
    """A layer that has another name: in `a` it is `layer`, in `b` it is `new_layer`, by some evidence.

    `swapped` says that the new name was another layer's in `a`, whose weights are elsewhere now.
    """

    layer: str
    new_layer: str
    evidence: Evidence
    swapped: bool = False

    def inverted(self) -> Move:
        """The move from the second checkpoint to the first."""
        return replace(self, layer=self.new_layer, new_layer=self.layer)


@dataclass(frozen=True, slots=True)
class State:
    """The state of the optimizers side by side: their classes, iterations and learning rates, the variables that go
    together, and those of one side alone."""

    class_names: tuple[str | None, str | None]
    iterations: tuple[int | None, int | None]
    learning_rates: tuple[float | None, float | None]
    pairs: tuple[Pair, ...] = ()
    removed: tuple[Unit, ...] = ()
    added: tuple[Unit, ...] = ()

    @property
    def is_changed(self) -> bool:
        """Whether anything of the state is not the same."""
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
    """What a side is compared without, as it means the same in Keras 3: "a" or "b", what was changed, and the layers,
    weights or settings where it was."""

    side: str
    what: str
    where: tuple[str, ...]

    def inverted(self) -> Restated:
        """The same seen from the second checkpoint."""
        return replace(self, side={"a": "b", "b": "a"}[self.side])


@dataclass(frozen=True, slots=True)
class Side:
    """One of the two checkpoints."""

    path: Path
    kind: str
    producer: Producer
    size: int


@dataclass(frozen=True, slots=True)
class Diff:
    """What changed from checkpoint `a` to checkpoint `b`.

    `pairs` are all weights that go together, the most changed first; `removed` are the weights of `a` alone, `added`
    those of `b` alone, `moves` the layers with another name. `state` is None where neither side has an optimizer, and
    counts as a difference only with `counts_state`. `notes` say what was not compared, and why. `restated` is what was
    brought into the words of Keras 3 before the comparison, where one side is older: no difference. `assets` are the
    files beside the weights that are not the same.
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

    def __repr__(self) -> str:
        found = ", ".join(part for part in PARTS if part in self.differences) or "the same"
        return f"<Diff {self.a.path.name!r} to {self.b.path.name!r}: {found}, {len(self.pairs):,} weights compared>"

    @property
    def changed(self) -> tuple[Pair, ...]:
        """The pairs of which a value changed."""
        return tuple(pair for pair in self.pairs if pair.changed)

    @property
    def reshaped(self) -> tuple[Pair, ...]:
        """The pairs of unequal shapes, whose values cannot be compared."""
        return tuple(pair for pair in self.pairs if pair.a.shape != pair.b.shape)

    @property
    def retyped(self) -> tuple[Pair, ...]:
        """The pairs of equal shapes and other dtypes."""
        return tuple(pair for pair in self.pairs if pair.a.shape == pair.b.shape and pair.a.dtype != pair.b.dtype)

    @property
    def unreadable(self) -> tuple[Pair, ...]:
        """The pairs of which the values of one cannot be read."""
        return tuple(pair for pair in (*self.pairs, *(self.state.pairs if self.state else ())) if pair.problem)

    @property
    def settings(self) -> tuple[ConfigChange, ...]:
        """The changes of the config that count: a file written by another version of Keras is not another model."""
        return tuple(change for change in self.config if change.kind != VERSION)

    @property
    def differences(self) -> frozenset[str]:
        """Which of `PARTS` are different."""
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
        """Whether all that was to be compared was, and that was something."""
        return not self.unreadable and bool(self.pairs or self.removed or self.added or self.config or self.assets)

    @property
    def total(self) -> Comparison:
        """The comparison of all values that were compared, as one."""
        return merged(self.pairs)

    def by_layer(self) -> tuple[LayerChange, ...]:
        """The pairs by layer, the most changed first."""
        gathered: dict[tuple[str, str], list[Pair]] = {}
        for pair in self.pairs:
            gathered.setdefault((pair.a.layer, pair.b.layer), []).append(pair)
        found = [LayerChange(*names, tuple(pairs)) for names, pairs in gathered.items()]
        return tuple(sorted(found, key=lambda layer: (-layer.comparison.relative_l2, layer.layer, layer.new_layer)))

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
            restated=tuple(one.inverted() for one in self.restated),
            assets=tuple(change.inverted() for change in self.assets),
        )


def in_order(pairs: Iterable[Pair]) -> tuple[Pair, ...]:
    """The pairs, the most changed first: what cannot be compared, then by the difference relative to `a`."""
    return tuple(sorted(pairs, key=lambda pair: (*_rank(pair), pair.a.name, pair.b.name)))


def _rank(pair: Pair) -> tuple[bool, bool, float]:
    found = pair.comparison
    return found is not None, not pair.changed, -found.relative_l2 if found else 0.0


def merged(pairs: Iterable[Pair]) -> Comparison:
    """The comparison of the values of several pairs as one."""
    found = Comparison()
    for pair in pairs:
        if pair.comparison is not None:
            found = found.merged(pair.comparison)
    return found
