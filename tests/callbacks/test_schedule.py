"""When it is time to save."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ckpttool.callbacks.schedule import Schedule


class Clock:
    """A clock that a test turns."""

    now = 0.0

    def __call__(self) -> float:
        """The time that it is."""
        return self.now


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"save_freq": "epochs"}, "Unrecognized save_freq"),
        ({"save_freq": 0}, "Unrecognized save_freq"),
        ({"save_freq": True}, "Unrecognized save_freq"),
        ({"epochs": 0}, "every_n_epochs"),
        ({"minutes": 0}, "every_minutes"),
        ({"overhead": 0.0}, "overhead"),
        ({"overhead": 3.0}, "overhead"),
    ],
)
def test_what_makes_no_schedule(arguments: dict[str, object], message: str) -> None:
    """A wrong schedule is refused when the callback is made."""
    with pytest.raises(ValueError, match=message):
        Schedule(**arguments)  # type: ignore[arg-type]


@given(st.integers(1, 7), st.integers(1, 5), st.integers(1, 60))
def test_by_batches(every: int, at_once: int, calls: int) -> None:
    """As Keras counts: as soon as so many are done since the last save, however many are done in one execution."""
    schedule, done, expected = Schedule(every), 0, []
    for call in range(calls):
        done += at_once
        if done >= every:
            expected.append(call)
            done = 0
    assert [call for call in range(calls) if schedule.count_batches(at_once)] == expected


@given(st.integers(1, 5), st.integers(1, 30))
def test_by_epochs(every: int, epochs: int) -> None:
    """After every so many."""
    schedule = Schedule(epochs=every)
    schedule.begin()
    saved = [epoch for epoch in range(1, epochs + 1) if schedule.after_epoch(epoch)]
    assert saved == [epoch for epoch in range(1, epochs + 1) if epoch % every == 0]


def test_due_by_time() -> None:
    """So many minutes after the last save, whatever that was for."""
    clock = Clock()
    schedule = Schedule(None, minutes=1, clock=clock)
    schedule.begin()
    clock.now = 59
    assert not schedule.is_due_by_time()
    clock.now = 60
    assert schedule.is_due_by_time()
    schedule.saved(1.0)
    clock.now = 119
    assert not schedule.is_due_by_time()


@given(st.floats(0.01, 0.5), st.floats(0.1, 20), st.floats(0.5, 30), st.integers(20, 200))
def test_saving_costs_no_more_than_its_share(share: float, cost: float, epoch_seconds: float, epochs: int) -> None:
    """Beyond the first save, which shows what one costs, and it goes on saving."""
    clock, saves = Clock(), 0
    schedule = Schedule(overhead=share, clock=clock)
    schedule.begin()
    for epoch in range(1, epochs + 1):
        clock.now += epoch_seconds
        if schedule.after_epoch(epoch):
            clock.now += cost
            schedule.saved(cost)
            saves += 1
            assert saves == 1 or saves * cost <= share * clock.now + 1e-6
    affordable = int(share * clock.now / cost)
    assert saves >= min(epochs, affordable) / 2
    assert saves >= 1


def test_a_postponed_save_is_done_later() -> None:
    """At the next epoch that affords it, not only after `every_n_epochs` more."""
    clock = Clock()
    schedule = Schedule(epochs=4, overhead=0.1, clock=clock)
    schedule.begin()
    saved = []
    for epoch in range(1, 20):
        clock.now += 10
        if schedule.after_epoch(epoch):
            schedule.saved(6.5)
            saved.append(epoch)
    assert saved == [4, 13]
