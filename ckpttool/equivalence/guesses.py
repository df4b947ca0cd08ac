"""Changed weights of which the values tell what was done to them, where a side stores no config."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

from ckpttool.comparison import Comparison, Diff, Pair, Restated
from ckpttool.conversion.config.hard_sigmoid import OLD
from ckpttool.equivalence.relations import MULTIPLIED, relation
from ckpttool.model import Architecture
from ckpttool.model.generations.generation import Generation

MAX_PAIRS = 1_000

Own = tuple[Architecture | None, Architecture | None]
"""The architecture of each side by its own config."""


def explained(found: Diff, own: Own, ages: tuple[Generation, ...]) -> Diff:
    """A diff in which weights that are those of an older Keras as `convert` changes them are no difference, where the
    config of the other side agrees; else a note says what they seem to be."""
    pairs = [*found.changed, *found.reshaped]
    if None not in own or len(pairs) > MAX_PAIRS:
        return found
    accepted, guessed = defaultdict[tuple[str, str], list[Pair]](list), defaultdict[str, list[Pair]](list)
    for pair in pairs:
        for mark, told in _relations(pair, own):
            if _is_known(pair, mark, told, own, ages):
                accepted[mark, told].append(pair)
            else:
                other = {"a": "b", "b": "a"}[mark]
                guessed[f"{{}} of {other} {{}} {{}} of {mark} {told}: {_reason(told)}"].append(pair)
            break
    same = {id(pair) for group in accepted.values() for pair in group}
    return replace(
        found,
        pairs=tuple(_unchanged(pair) if id(pair) in same else pair for pair in found.pairs),
        restated=(*found.restated, *(_restated(*key, group) for key, group in accepted.items())),
        notes=(*found.notes, *(_guess(text, group) for text, group in guessed.items())),
    )


def _relations(pair: Pair, own: Own) -> Iterator[tuple[str, str]]:
    """On which side the older form of a weight is, and how the other is made of it."""
    for mark, old, new, architecture in (("a", pair.a, pair.b, own[1]), ("b", pair.b, pair.a, own[0])):
        config = _entry(architecture, new.layer).get("config")
        epsilon = config.get("epsilon") if isinstance(config, Mapping) else None
        known = (epsilon,) if isinstance(epsilon, float) else ()
        told = relation(old.weight, new.weight, *known)
        if told:
            yield mark, told


def _entry(architecture: Architecture | None, name: str) -> Mapping[str, Any]:
    """What a config says of a layer, nothing where there is none."""
    layers = architecture.layers if architecture else ()
    found = next((layer.entry for layer in layers if layer.path == name), None)
    return found if isinstance(found, Mapping) else {}


def _is_known(pair: Pair, mark: str, told: str, own: Own, ages: tuple[Generation, ...]) -> bool:
    """Whether the side with a config is of Keras 3, the other older, and what was done is what that config asks for."""
    old, new = (0, 1) if mark == "a" else (1, 0)
    architecture = own[new]
    if architecture is None or ages[new] is not Generation.KERAS_3 or ages[old] is Generation.KERAS_3:
        return False
    if not told.startswith(MULTIPLIED):
        return True
    return f'"{OLD}"' in json.dumps(_entry(architecture, (pair.a, pair.b)[new].layer), default=str)


def _unchanged(pair: Pair) -> Pair:
    return replace(pair, b=replace(pair.b, shape=pair.a.shape), comparison=Comparison(pair.a.weight.size))


def _restated(mark: str, told: str, group: list[Pair]) -> Restated:
    what = f"{len(group):,} weight{'s' * (len(group) > 1)} {told}"
    return Restated(mark, what, tuple(pair.a.name for pair in group))


def _reason(told: str) -> str:
    if told.startswith(MULTIPLIED):
        return "as convert does for hard_sigmoid, which is a guess, for no config says it"
    return "as convert does, which is a guess, for no config says it"


def _guess(text: str, group: list[Pair]) -> str:
    """What some weights seem to be, by the layers that have them."""
    layers = ", ".join(dict.fromkeys(pair.a.layer for pair in group))
    if len(group) == 1:
        return f"{layers}: " + text.format(f"{group[0].b.label}", "is", "that")
    return f"{layers}: " + text.format(f"{len(group):,} weights", "are", "those")
