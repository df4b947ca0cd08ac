"""The pairs of layers of two models: by name, and where Keras numbered the names, by class and order."""

import json
from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping
from dataclasses import replace

from ckpttool.comparison.arguments import is_automatic, shown
from ckpttool.comparison.models import Model, Node

Pairs = Mapping[int, int]
"""Positions of layers in the first model to positions in the second."""

MAX_CELLS = 1_000_000
"""The most pairs of layers that are looked at to find the longest sequence that two models have in common."""


def pairings(a: Model, b: Model, renamed: Mapping[str, str]) -> Iterator[Pairs]:
    """The possible pairings of the layers of two models.

    First by all names. Then, where Keras numbered the names of unpaired layers, without such names. `renamed` are
    chains of names in the first model to those in the second that are known.
    """
    known = _known(a, b, renamed)
    by_name = known | _by_name(a, b, known)
    yield by_name | _by_class(a, b, by_name)
    if _any_numbered(a, by_name.keys()) or _any_numbered(b, by_name.values()):
        numbered = {at for at, to in by_name.items() if _is_numbered(a.nodes[at]) and _is_numbered(b.nodes[to])}
        by_own_name = known | {at: to for at, to in by_name.items() if at not in numbered}
        yield by_own_name | _by_class(a, b, by_own_name)


def _known(a: Model, b: Model, renamed: Mapping[str, str]) -> dict[int, int]:
    """The known pairs, and the inputs of two Sequential models."""
    places = {node.chain: at for at, node in reversed(list(enumerate(b.nodes)))}
    known = {at: places[renamed[node.chain]] for at, node in enumerate(a.nodes) if renamed.get(node.chain) in places}
    if a.is_chain and b.is_chain and _has_input(a) and _has_input(b):
        known[0] = 0
    return _once(known)


def _has_input(model: Model) -> bool:
    return bool(model.nodes) and model.nodes[0].obj.is_input


def _once(pairs: Mapping[int, int]) -> dict[int, int]:
    """The pairs without those whose second layer is in an earlier pair."""
    return {at: to for to, at in reversed({to: at for at, to in reversed(list(pairs.items()))}.items())}


def _by_name(a: Model, b: Model, known: Pairs) -> dict[int, int]:
    """The pairs of layers with the same name, without the known pairs."""
    taken = set(known.values())
    places = {(node.name, node.number): at for at, node in enumerate(b.nodes) if at not in taken}
    pairs = ((at, places.get((node.name, node.number))) for at, node in enumerate(a.nodes) if at not in known)
    return {at: to for at, to in pairs if to is not None}


def _any_numbered(model: Model, paired: Collection[int]) -> bool:
    """Whether Keras numbered the name of a layer that is in no pair."""
    known = set(paired)
    return any(_is_numbered(node) for at, node in enumerate(model.nodes) if at not in known)


def _is_numbered(node: Node) -> bool:
    return is_automatic(node.obj, node.name)


def _by_class(a: Model, b: Model, known: Pairs) -> dict[int, int]:
    """The pairs of the layers that are left, in the order of both models.

    First layers of one class with the same arguments, then layers of one class.
    """
    pairs_of_class: dict[int, int] = {}
    for closely in (True, False):
        every = {**known, **pairs_of_class}
        back = {to: at for at, to in every.items()}
        pairs = _aligned(_tokens(a, every, closely), _tokens(b, back, closely))
        pairs_of_class |= {at: to for at, to in pairs if at not in every and to not in back}
    return pairs_of_class


def _tokens(model: Model, known: Pairs, closely: bool) -> list[str]:
    """The texts by which the layers of a model are recognized; both layers of a known pair have one of their own."""
    return [
        # No class is named with a NUL, so that a known pair is equal to nothing else.
        _token(node, closely) if at not in known else "\0{}-{}".format(*sorted((at, known[at])))
        for at, node in enumerate(model.nodes)
    ]


def _token(node: Node, closely: bool) -> str:
    """The text by which a layer is recognized: its class, and closely also its arguments."""
    if not closely:  # a name that the user chose says more than the class
        return node.kind if _is_numbered(node) else f"\0{node.name}\0{node.number}"
    config = {key: value for key, value in node.obj.config.items() if key != "name"}
    try:
        return f"{node.kind} {json.dumps(shown(replace(node.obj, config=config)), sort_keys=True, default=str)}"
    except RecursionError:
        return node.kind


def _aligned(a: list[str], b: list[str]) -> Iterator[tuple[int, int]]:
    """The longest common sequence as pairs of positions; the same pairs whichever list is first."""
    if a > b:  # the other way round, so that a diff and its inverse find the same pairs
        yield from ((at, to) for to, at in _aligned(b, a))
        return
    # Equal beginnings and ends are paired first, in linear time: most models differ in a few layers.
    start = next((at for at, (one, other) in enumerate(zip(a, b, strict=False)) if one != other), min(len(a), len(b)))
    yield from ((at, at) for at in range(start))
    a, b = a[start:], b[start:]
    end = next((at for at, (one, other) in enumerate(zip(a[::-1], b[::-1], strict=False)) if one != other),
               min(len(a), len(b)))  # fmt: skip
    yield from ((start + len(a) - at, start + len(b) - at) for at in range(1, end + 1))
    a, b = a[: len(a) - end], b[: len(b) - end]
    common = _longest if len(a) * len(b) <= MAX_CELLS else _in_turn
    yield from ((start + at, start + to) for at, to in common(a, b))


def _longest(a: list[str], b: list[str]) -> Iterator[tuple[int, int]]:
    """The longest common sequence of two lists.

    A row of bits says of each place of `a` whether the sequence from there on is as long as that from the next place
    on. Rows of whole numbers are worked out by one addition each (Hyyrö, Bit-Parallel LCS-length Computation Revisited,
    2004).
    """
    if not a:
        return
    places = {unit: bytearray(b"0" * len(a)) for unit in b}
    for at, unit in enumerate(a):
        if unit in places:
            places[unit][at] = ord("1")
    rows, every = list[str](), (1 << len(a)) - 1
    row = every
    for unit in reversed(b):
        met = row & int(places[unit], 2)
        row = (row + met | row - met) & every
        rows.append(f"{row:0{len(a)}b}")
    rows.reverse()
    at = to = 0
    while at < len(a) and to < len(b):
        if a[at] == b[to]:
            yield at, to
            at, to = at + 1, to + 1
        elif rows[to][at] == "1":
            at += 1
        else:
            to += 1


def _in_turn(a: list[str], b: list[str]) -> Iterator[tuple[int, int]]:
    """The pairs of the first layers of each kind, of the second, and so on; linear, for models of absurd size."""
    places: dict[str, list[int]] = defaultdict(list)
    for at in range(len(b) - 1, -1, -1):
        places[b[at]].append(at)
    yield from ((at, places[unit].pop()) for at, unit in enumerate(a) if places[unit])
