"""The pairs of weights of two checkpoints: matched by layer and name, by order, or by their values."""

import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum

from ckpttool.comparison.weights import Unit, Units

LIKE = 0.99
"""The cosine above which two weights of equal shape count as one weight that was changed."""

MAX_CANDIDATES = 16
"""The most layers of equal shapes that are compared with each other to find a layer that was renamed and changed."""

Layers = Mapping[str, Sequence[Unit]]


class Evidence(Enum):
    """The evidence for a pair of weights."""

    SLOT = "slot"  # both architectures have the slot
    PATH = "path"  # stored at the same place
    NAME = "name"  # the same names of layer and weight
    ORDER = "order"  # as many of the same shapes, in order
    CONTENT = "content"  # the same values
    LIKENESS = "likeness"  # nearly the same values


@dataclass(frozen=True, slots=True)
class Match:
    """Two weights that are compared."""

    a: Unit
    b: Unit
    evidence: Evidence


@dataclass(frozen=True, slots=True)
class Matches:
    """The pairs of weights, and the weights without a partner. `layers` are those of `a` with their partners in `b`."""

    pairs: tuple[Match, ...]
    removed: tuple[Unit, ...]
    added: tuple[Unit, ...]
    layers: Mapping[str, tuple[str, Evidence]]


def match_layers(a: Layers, b: Layers, known: Mapping[str, str]) -> dict[str, tuple[str, Evidence]]:
    """The layers of `a` with those of `b`: as `known` has them, else by name, or by order where names are Keras's own.

    Keras numbers layers without a name in the order in which they are created in a session, `dense_4` here and
    `dense_12` there. The order counts where both sides have equally many layers with the same stem, of equal shapes in
    order, but not the same names.
    """
    matches = {name: (other, Evidence.SLOT) for name, other in known.items() if name in a and other in b}
    taken = {other for other, _ in matches.values()}
    ours, theirs = [name for name in a if name not in matches], [name for name in b if name not in taken]
    numbered = dict(_by_stem(a, b, ours, theirs))
    left = {name for name in theirs if name not in numbered.values()}
    for name in ours:
        if name in numbered:
            matches[name] = numbered[name], Evidence.ORDER
        elif name in left:
            matches[name] = name, Evidence.NAME
    return matches


def _by_stem(a: Layers, b: Layers, ours: Iterable[str], theirs: Iterable[str]) -> Iterator[tuple[str, str]]:
    """The pairs of layers, in order, whose names differ in their numbers alone."""
    left, right = _stems(ours), _stems(theirs)
    for stem, names in left.items():
        others = right.get(stem, [])
        if set(names) != set(others) and len(names) == len(others):
            pairs = list(zip(names, others, strict=True))
            if all(signature(a[name]) == signature(b[other]) for name, other in pairs):
                yield from pairs


def _stems(names: Iterable[str]) -> Mapping[str, list[str]]:
    by_stem = defaultdict[str, list[str]](list)
    for name in names:
        by_stem[_NUMBERED.sub("", name)].append(name)
    return by_stem


_NUMBERED = re.compile(r"_\d+(?=/|$)")


def signature(units: Sequence[Unit]) -> tuple[tuple[int, ...], ...]:
    """The sorted shapes of a layer's weights: a mark to recognize a layer by without reading a value."""
    return tuple(sorted(unit.shape for unit in units))


def pair_inside(ours: Sequence[Unit], theirs: Sequence[Unit], evidence: Evidence) -> Iterator[Match]:
    """The pairs of weights of two matched layers: by their names, the others by order where all their shapes agree."""
    left, right = _queues(ours), _queues(theirs)
    taken = set[int]()
    for key, units in left.items():
        for one, other in zip(units, right.get(key, ()), strict=False):
            taken |= {id(one), id(other)}
            yield Match(one, other, _of_pair(one, other, evidence))
    rest = [unit for unit in ours if id(unit) not in taken], [unit for unit in theirs if id(unit) not in taken]
    if [unit.shape for unit in rest[0]] == [unit.shape for unit in rest[1]]:
        yield from (Match(one, other, Evidence.ORDER) for one, other in zip(*rest, strict=True))


def _of_pair(one: Unit, other: Unit, of_layer: Evidence) -> Evidence:
    """The evidence for a pair of weights of one name, in layers that were matched by `of_layer`."""
    if of_layer not in (Evidence.NAME, Evidence.SLOT):
        return of_layer
    if one.slot and other.slot:
        return Evidence.SLOT
    return Evidence.PATH if one.path == other.path else Evidence.NAME


def _queues(units: Iterable[Unit]) -> Mapping[str, list[Unit]]:
    by_key = defaultdict[str, list[Unit]](list)
    for unit in units:
        by_key[unit.key].append(unit)
    return by_key


def match(a: Units, b: Units, layers: Mapping[str, tuple[str, Evidence]]) -> Matches:
    """The weights of both sides, paired inside the matched layers."""
    left, right = a.by_layer(), b.by_layer()
    pairs = [
        pair for name, (other, evidence) in layers.items() for pair in pair_inside(left[name], right[other], evidence)
    ]
    taken = {id(pair.a) for pair in pairs} | {id(pair.b) for pair in pairs}
    return Matches(
        tuple(pairs),
        tuple(unit for unit in a.units if id(unit) not in taken),
        tuple(unit for unit in b.units if id(unit) not in taken),
        layers,
    )


def by_content(
    a: Layers, b: Layers, key: Callable[[Sequence[Unit]], object], equal: Callable[[Unit, Unit], bool]
) -> dict[str, str]:
    """The layers of `a` with the layer of `b` that has the same values, and is the only one to have them.

    `key` gives the same value for layers that may be equal, and None for a layer that cannot be recognized by its
    values, such as zeros alone.
    """
    left, right = _by_key(a, key), _by_key(b, key)
    unique = {mark for mark, names in left.items() if len(names) == 1 and len(right.get(mark, ())) == 1}
    pairs = ((left[mark][0], right[mark][0]) for mark in left if mark in unique)
    return {one: other for one, other in pairs if all(equal(*pair) for pair in _in_order(a[one], b[other]))}


def _by_key(layers: Layers, key: Callable[[Sequence[Unit]], object]) -> Mapping[object, list[str]]:
    names = defaultdict[object, list[str]](list)
    for name, units in layers.items():
        mark = key(units)
        if mark is not None:
            names[mark].append(name)
    return names


def by_likeness(a: Layers, b: Layers, likeness: Callable[[Sequence[Unit], Sequence[Unit]], float]) -> dict[str, str]:
    """The layers of `a` with the layers of `b` that are most like them, above `LIKE`, the closest pairs first.

    `likeness` gives the likeness of two layers of equal shapes, 1 for equal ones.
    """
    scores: dict[tuple[str, str], float] = {}
    for ours, theirs in _of_equal_shapes(a, b):
        if len(ours) <= MAX_CANDIDATES and len(theirs) <= MAX_CANDIDATES:
            scores |= {(one, other): likeness(a[one], b[other]) for one in ours for other in theirs}
    partners: dict[str, str] = {}
    taken = set[str]()
    # Names are sorted inside each pair, so that a diff and its inverse find the same pairs.
    for (one, other), score in sorted(scores.items(), key=lambda item: (-item[1], *sorted(item[0]))):
        if score > LIKE and one not in partners and other not in taken:
            partners[one] = other
            taken.add(other)
    return partners


def _of_equal_shapes(a: Layers, b: Layers) -> Iterator[tuple[list[str], list[str]]]:
    left, right = _by_key(a, signature), _by_key(b, signature)
    return ((names, right[shapes]) for shapes, names in left.items() if shapes in right)


def _in_order(ours: Sequence[Unit], theirs: Sequence[Unit]) -> Iterable[tuple[Unit, Unit]]:
    return ((pair.a, pair.b) for pair in pair_inside(ours, theirs, Evidence.CONTENT))
