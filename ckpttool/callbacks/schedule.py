"""The schedule of saves: by epochs, by batches, by the clock, and never for more than a share of the time."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field


@dataclass(slots=True)
class Schedule:
    """The schedule of one run.

    `save_freq` is "epoch", a number of batches, or None for neither. `overhead` is the share of the time that saves may
    take: a save that would exceed it is left out, and made at the next occasion at which it would not.
    """

    save_freq: str | int | None = "epoch"
    epochs: int = 1
    minutes: float | None = None
    overhead: float | None = None
    clock: Callable[[], float] = time.monotonic
    _begun: float = field(default=0.0, init=False)
    _saved_at: float = field(default=0.0, init=False)
    _spent: float = field(default=0.0, init=False)
    _last_cost: float = field(default=0.0, init=False)
    _batches: int = field(default=0, init=False)
    _postponed: bool = field(default=False, init=False)

    def __post_init__(self) -> None:
        if self.save_freq is not None and self.save_freq != "epoch" and not _is_count(self.save_freq):
            raise ValueError(
                f"Unrecognized save_freq: {self.save_freq}. Expected save_freq are 'epoch', a number of batches or None"
            )
        if not _is_count(self.epochs):
            raise ValueError(f"every_n_epochs is a number from 1 on. Received: {self.epochs!r}")
        if self.minutes is not None and not self.minutes > 0:
            raise ValueError(f"every_minutes is a time above 0, or None. Received: {self.minutes!r}")
        if self.overhead is not None and not 0 < self.overhead <= 1:
            raise ValueError(f"overhead is a share above 0 and up to 1, or None. Received: {self.overhead!r}")

    def begin(self) -> None:
        """Start the clock."""
        self._begun = self._saved_at = self.clock()

    def count_batches(self, count: int) -> bool:
        """Count the trained batches. Returns whether to save now."""
        if not isinstance(self.save_freq, int):
            return False
        self._batches += count
        if self._batches < self.save_freq:
            return False
        self._batches = 0
        return self._is_within_overhead()

    def after_epoch(self, epoch: int) -> bool:
        """Whether to save now that an epoch, counted from one, is over."""
        if self.save_freq != "epoch":
            return False
        due = epoch % self.epochs == 0 or self._postponed
        self._postponed = due and not self._is_within_overhead()
        return due and not self._postponed

    def is_due_by_time(self) -> bool:
        """Whether enough time has passed since the last save."""
        if self.minutes is None or self.clock() - self._saved_at < 60 * self.minutes:
            return False
        return self._is_within_overhead()

    def saved(self, seconds: float) -> None:
        """Note a save, during which training waited for so long."""
        self._saved_at = self.clock()
        self._spent += seconds
        self._last_cost = seconds

    def _is_within_overhead(self) -> bool:
        """Whether one more save, as long as the last one, keeps all saves within their share of the time."""
        if self.overhead is None or not self._spent:
            return True
        return self._spent + self._last_cost <= self.overhead * (self.clock() - self._begun)


def _is_count(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 1
