"""Changed weights that are explained by their values alone, where a side stores no config."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

from ckpttool.comparison import Comparison, Diff, Pair, Restated
from ckpttool.conversion.config.hard_sigmoid import HARD_SIGMOID
from ckpttool.equivalence.relations import MULTIPLIED, relation
from ckpttool.model import Architecture
from ckpttool.model.generations.generation import Generation

MAX_PAIRS = 1_000
"""The most changed weights for which an explanation is tried; each of them is read as a whole."""

Own = tuple[Architecture | None, Architecture | None]
"""The architecture of each side by its own config."""


def explained(diff: Diff, own: Own, ages: tuple[Generation, ...]) -> Diff:
    """A diff in which weights that `convert` would change in this very way are explained.

    They are no difference where the config of one side asks for that change; else a note has the guess. Only for diffs
    in which a side has no config.
    """
    pairs = [*diff.changed, *diff.reshaped]
    if None not in own or len(pairs) > MAX_PAIRS:
        return diff
    accepted, guessed = defaultdict[tuple[str, str], list[Pair]](list), defaultdict[str, list[Pair]](list)
    for pair in pairs:
        for mark, change in _relations(pair, own):
            if _is_known(pair, mark, change, own, ages):
                accepted[mark, change].append(pair)
            else:
                other = {"a": "b", "b": "a"}[mark]
                guessed[f"{{}} of {other} {{}} {{}} of {mark} {change}: {_reason(change)}"].append(pair)
            break
    same = {id(pair) for group in accepted.values() for pair in group}
    return replace(
        diff,
        pairs=tuple(_unchanged(pair) if id(pair) in same else pair for pair in diff.pairs),
        restated=(*diff.restated, *(_restated(*key, group) for key, group in accepted.items())),
        notes=(*diff.notes, *(_guess(text, group) for text, group in guessed.items())),
    )


def _relations(pair: Pair, own: Own) -> Iterator[tuple[str, str]]:
    """The side, "a" or "b", that has the older form of a weight, and the change that makes the other weight of it."""
    for mark, old, new, architecture in (("a", pair.a, pair.b, own[1]), ("b", pair.b, pair.a, own[0])):
        config = _entry(architecture, new.layer).get("config")
        epsilon = config.get("epsilon") if isinstance(config, Mapping) else None
        known = (epsilon,) if isinstance(epsilon, float) else ()
        change = relation(old.weight, new.weight, *known)
        if change:
            yield mark, change


def _entry(architecture: Architecture | None, name: str) -> Mapping[str, Any]:
    """The config's entry of a layer; empty where there is none."""
    layers = architecture.layers if architecture else ()
    entry = next((layer.entry for layer in layers if layer.path == name), None)
    return entry if isinstance(entry, Mapping) else {}


def _is_known(pair: Pair, mark: str, change: str, own: Own, ages: tuple[Generation, ...]) -> bool:
    """Whether a change is certain: Keras 3 wrote the side with a config, an older Keras the other side, and the config
    asks for that change."""
    old, new = (0, 1) if mark == "a" else (1, 0)
    architecture = own[new]
    if architecture is None or ages[new] is not Generation.KERAS_3 or ages[old] is Generation.KERAS_3:
        return False
    if not change.startswith(MULTIPLIED):
        return True
    return f'"{HARD_SIGMOID}"' in json.dumps(_entry(architecture, (pair.a, pair.b)[new].layer), default=str)


def _unchanged(pair: Pair) -> Pair:
    return replace(pair, b=replace(pair.b, shape=pair.a.shape), comparison=Comparison(pair.a.weight.size))


def _restated(mark: str, change: str, group: list[Pair]) -> Restated:
    description = f"{len(group):,} weight{'s' * (len(group) > 1)} {change}"
    return Restated(mark, description, tuple(pair.a.name for pair in group))


def _reason(change: str) -> str:
    if change.startswith(MULTIPLIED):
        return "as convert does for hard_sigmoid; this is a guess, since no config says so"
    return "as convert does; this is a guess, since no config says so"


def _guess(text: str, group: list[Pair]) -> str:
    """The note on weights that seem to be changed in the same way, with their layers."""
    layers = ", ".join(dict.fromkeys(pair.a.layer for pair in group))
    if len(group) == 1:
        return f"{layers}: " + text.format(f"{group[0].b.label}", "is", "that")
    return f"{layers}: " + text.format(f"{len(group):,} weights", "are", "those")
