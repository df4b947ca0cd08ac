"""The retention of checkpoints."""

import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ckpttool.callbacks.retention import Retention
from ckpttool.manifest import Saved, State

limits = st.none() | st.integers(1, 4)
values = st.none() | st.sampled_from((math.nan, math.inf, -math.inf, 0.0, 0.1, 0.5, 1.0))
runs = st.lists(values, max_size=12)


def series(values: list[float | None], mode: str = "min") -> list[Saved]:
    """A series with one checkpoint an epoch, with these values."""
    return [
        Saved(f"{at}.keras", "s", State.COMPLETE, at, None, at * 10, "", 0, monitor="v", mode=mode, value=value)
        for at, value in enumerate(values, 1)
    ]


def retained(saved: list[Saved], retention: Retention, needed: tuple[int, ...] = ()) -> list[Saved]:
    """The entries that are retained."""
    deleted = {entry.file for entry in retention.superfluous(saved, needed)}
    return [entry for entry in saved if entry.file not in deleted]


@given(runs, limits, limits, limits, st.sampled_from(("min", "max")))
def test_the_three_rules_together(
    values: list[float | None], last: int | None, best: int | None, every: int | None, mode: str
) -> None:
    """Entries that a rule retains stay, and no others; the newest always does."""
    saved = series(values, mode)
    retention = Retention(last, best, every)
    if not retention.is_set:
        assert retained(saved, retention) == saved
        return
    sign = -1 if mode == "max" else 1
    good = [entry for entry in saved if entry.value is not None and not math.isnan(entry.value)]
    ranked = sorted(good, key=lambda entry: (sign * float(entry.value or 0.0), entry.epoch))
    wanted = {entry.file for entry in (*saved[-(last or 1) :], *ranked[: best or 0])}
    wanted |= {entry.file for entry in saved if every and entry.epoch % every == 0}
    assert [entry.file for entry in retained(saved, retention)] == [e.file for e in saved if e.file in wanted]


@given(runs, limits, limits, limits)
def test_step_by_step_loses_no_best(
    values: list[float | None], last: int | None, best: int | None, every: int | None
) -> None:
    """Deleting after every save keeps what deleting once at the end would, but for what had to go in between."""
    retention = Retention(last, best, every)
    remaining: list[Saved] = []
    for entry in series(values):
        remaining = retained([*remaining, entry], retention)
    assert [e.file for e in remaining] == [e.file for e in retained(series(values), retention)]


def test_epochs_that_others_need() -> None:
    """They stay, such as the best epoch of EarlyStopping."""
    saved = series([0.1, 0.2, 0.3, 0.4])
    assert [entry.epoch for entry in retained(saved, Retention(last=1), needed=(2,))] == [2, 4]


@pytest.mark.parametrize("limits", [{"last": 0}, {"best": -1}, {"every": True}, {"last": 1.5}])
def test_what_is_no_limit(limits: dict[str, Any]) -> None:
    """A wrong limit is refused by the name of the argument."""
    with pytest.raises(ValueError, match=f"keep_{next(iter(limits))}"):
        Retention(**limits)
