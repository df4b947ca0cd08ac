"""Which weight of one checkpoint is which of another: by layer and name, by order, or by what they hold."""

import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum

from ckpttool.comparison.weights import Unit, Units

LIKE = 0.99
"""The cosine above which two weights of equal shape are taken for one that was changed."""

MAX_CANDIDATES = 16
"""How many layers of equal shapes are compared with each other, at most, to find one that was renamed and changed."""

Layers = Mapping[str, Sequence[Unit]]


class Evidence(Enum):
    """What a pair of weights rests on."""

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
    """What is compared with what, and what has no partner. `layers` are the layers that go together, a's to b's."""

    pairs: tuple[Match, ...]
    removed: tuple[Unit, ...]
    added: tuple[Unit, ...]
    layers: Mapping[str, tuple[str, Evidence]]


def match_layers(a: Layers, b: Layers, known: Mapping[str, str]) -> dict[str, tuple[str, Evidence]]:
    """The layers of `a` with those of `b`, as `known` has them, by name, and by order where names are Keras's own.

    Keras numbers layers without a name in the order in which they are made in a session, `dense_4` here and `dense_12`
    there. Where both sides have as many layers of one such stem, of equal shapes in order, and not of the same names,
    the order is believed.
    """
    found = {name: (other, Evidence.SLOT) for name, other in known.items() if name in a and other in b}
    taken = {other for other, _ in found.values()}
    ours, theirs = [name for name in a if name not in found], [name for name in b if name not in taken]
    numbered = dict(_by_stem(a, b, ours, theirs))
    left = {name for name in theirs if name not in numbered.values()}
    for name in ours:
        if name in numbered:
            found[name] = numbered[name], Evidence.ORDER
        elif name in left:
            found[name] = name, Evidence.NAME
    return found


def _by_stem(a: Layers, b: Layers, ours: Iterable[str], theirs: Iterable[str]) -> Iterator[tuple[str, str]]:
    """The layers whose names differ only in their numbers, in order."""
    left, right = _stems(ours), _stems(theirs)
    for stem, names in left.items():
        others = right.get(stem, [])
        if set(names) != set(others) and len(names) == len(others):
            pairs = list(zip(names, others, strict=True))
            if all(signature(a[name]) == signature(b[other]) for name, other in pairs):
                yield from pairs


def _stems(names: Iterable[str]) -> Mapping[str, list[str]]:
    found = defaultdict[str, list[str]](list)
    for name in names:
        found[_NUMBERED.sub("", name)].append(name)
    return found


_NUMBERED = re.compile(r"_\d+(?=/|$)")


def signature(units: Sequence[Unit]) -> tuple[tuple[int, ...], ...]:
    """What tells layers of one kind from others without reading a value: the shapes of their weights, in no order."""
    return tuple(sorted(unit.shape for unit in units))


def pair_inside(ours: Sequence[Unit], theirs: Sequence[Unit], evidence: Evidence) -> Iterator[Match]:
    """The weights of two layers that go together: by what they are called, and the rest by order where all that is left
    is of equal shapes."""
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
    """What a pair of weights of one name rests on, in layers that were paired by `of_layer`."""
    if of_layer not in (Evidence.NAME, Evidence.SLOT):
        return of_layer
    if one.slot and other.slot:
        return Evidence.SLOT
    return Evidence.PATH if one.path == other.path else Evidence.NAME


def _queues(units: Iterable[Unit]) -> Mapping[str, list[Unit]]:
    found = defaultdict[str, list[Unit]](list)
    for unit in units:
        found[unit.key].append(unit)
    return found


def match(a: Units, b: Units, layers: Mapping[str, tuple[str, Evidence]]) -> Matches:
    """The weights of both sides, paired layer by layer."""
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
    """The layers of `a` whose weights are, value by value, those of one layer of `b` and of no other.

    `key` is the same for layers that may be equal, None for one whose values tell nothing, such as zeros alone.
    """
    left, right = _by_key(a, key), _by_key(b, key)
    alone = {found for found, names in left.items() if len(names) == 1 and len(right.get(found, ())) == 1}
    pairs = ((left[found][0], right[found][0]) for found in left if found in alone)
    return {one: other for one, other in pairs if all(equal(*pair) for pair in _in_order(a[one], b[other]))}


def _by_key(layers: Layers, key: Callable[[Sequence[Unit]], object]) -> Mapping[object, list[str]]:
    found = defaultdict[object, list[str]](list)
    for name, units in layers.items():
        told = key(units)
        if told is not None:
            found[told].append(name)
    return found


def by_likeness(a: Layers, b: Layers, likeness: Callable[[Sequence[Unit], Sequence[Unit]], float]) -> dict[str, str]:
    """The layers of `a` with those of `b` that are most like them, each the other's closest and over `LIKE`.

    `likeness` tells how alike the weights of two layers of equal shapes are, 1 for equal ones.
    """
    scores: dict[tuple[str, str], float] = {}
    for ours, theirs in _of_equal_shapes(a, b):
        if len(ours) <= MAX_CANDIDATES and len(theirs) <= MAX_CANDIDATES:
            scores |= {(one, other): likeness(a[one], b[other]) for one in ours for other in theirs}
    found: dict[str, str] = {}
    taken = set[str]()
    for (one, other), score in sorted(scores.items(), key=lambda item: (-item[1], *sorted(item[0]))):
        if score > LIKE and one not in found and other not in taken:
            found[one] = other
            taken.add(other)
    return found


def _of_equal_shapes(a: Layers, b: Layers) -> Iterator[tuple[list[str], list[str]]]:
    left, right = _by_key(a, signature), _by_key(b, signature)
    return ((names, right[shapes]) for shapes, names in left.items() if shapes in right)


def _in_order(ours: Sequence[Unit], theirs: Sequence[Unit]) -> Iterable[tuple[Unit, Unit]]:
    return ((pair.a, pair.b) for pair in pair_inside(ours, theirs, Evidence.CONTENT))
