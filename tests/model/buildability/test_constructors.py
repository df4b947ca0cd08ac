"""The table of constructors: against what live Keras took and refused."""

import json
from typing import Any

import pytest

from ckpttool.model.buildability.rules import rule_of
from ckpttool.model.buildability.table import row_of
from tests.model.buildability import live_constructors as live
from tests.model.buildability.constructor_hints import NOT_CONSTRUCTED, PINNED
from tests.speeds import is_full

# Odd values: empty strings for null, arrays as arguments of a Lambda. Seeds and dtypes are left out, of which Keras's
# constructors take more than it builds.
LEFT = 30 if is_full() else 24


def test_current() -> None:
    """The file holds what follows from the record."""
    assert live.PATH.read_text() == live.text()


def test_as_recorded() -> None:
    """The rules take and refuse the values that Keras took and refused, but for a few odd ones."""
    asked, wrong, met = 0, [], set()
    for place, known in live.record().items():
        row, name = row_of(place), place.rpartition(".")[2]
        if name in NOT_CONSTRUCTED:
            continue
        assert row is not None
        for key, bits in known.get("args", {}).items():
            rule = row.rules.get(key)
            if rule in (None, "any", "seed", "dtype") or (name, key) in PINNED:
                continue
            if (key, rule, bits) in met and not is_full():  # most classes share what they take with others
                continue
            met.add((key, rule, bits))
            answers = live.compared(name, known, key, rule, bits)
            asked += len(answers)
            wrong += [f"{name}.{key} ({rule}): {value!r}" for value, _, missed in answers if missed]
    assert asked > (40_000 if is_full() else 20_000)
    assert len(wrong) <= LEFT, f"{len(wrong)} of {asked}: {wrong[:20]}"


def test_every_rule_exists() -> None:
    """Every rule that the table names is one."""
    rules = {rule for row in json.loads(live.PATH.read_text())["classes"].values() for rule in row.get("rules", {})}
    assert len(rules) > 100
    assert all(callable(rule_of(rule)) for rule in rules)


@pytest.mark.parametrize("name", ["Dense", "Conv2D", "LSTM", "Embedding", "BatchNormalization"])
def test_live(name: str) -> None:
    """Live Keras still answers as recorded."""
    pytest.importorskip("keras", minversion="3.15", reason="the oracle of constructors is Keras 3.15 itself")
    known: dict[str, Any] = live.record()
    place = next(place for place in known if place.startswith("keras.src.layers.") and place.endswith(f".{name}"))
    cls = live._classes()[place]
    for key in ("trainable", "name"):
        bits = known[place]["args"][key]
        for value, bit in zip(live.BATTERY, bits, strict=True):
            assert bit == "?" or live.takes(cls, {**known[place]["base"], key: value}) == (bit == "1")
