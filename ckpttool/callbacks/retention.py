"""Which checkpoints of a series are kept."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from ckpttool.manifest import Saved


@dataclass(frozen=True, slots=True)
class Retention:
    """What is kept: the last ones, the best ones, those of every so many epochs; all of it where nothing is said.

    The newest is always kept. Of equal values the earlier ones are the better; NaN and missing values are no good.
    """

    last: int | None = None
    best: int | None = None
    every: int | None = None

    def __post_init__(self) -> None:
        for name in ("last", "best", "every"):
            value = getattr(self, name)
            if value is not None and (isinstance(value, bool) or not isinstance(value, int) or value < 1):
                raise ValueError(f"keep_{name} is a number from 1 on, or None. Received: {value!r}")

    @property
    def is_set(self) -> bool:
        """Whether anything is ever deleted."""
        return (self.last, self.best, self.every) != (None, None, None)

    def superfluous(self, saved: Sequence[Saved], needed: Collection[int] = ()) -> tuple[Saved, ...]:
        """Those of a series, oldest first, that need not be kept; epochs in `needed` are, for other reasons."""
        if not self.is_set:
            return ()
        kept = {id(entry) for entry in (*saved[-(self.last or 1) :], *self._best(saved))}
        kept |= {id(entry) for entry in saved if self._has_its_turn(entry) or _ends(entry, needed)}
        return tuple(entry for entry in saved if id(entry) not in kept)

    def _best(self, saved: Sequence[Saved]) -> list[Saved]:
        scored = [(score, entry) for entry in saved if (score := entry.score) is not None]
        return [entry for _, entry in sorted(scored, key=lambda pair: pair[0])[: self.best or 0]]

    def _has_its_turn(self, entry: Saved) -> bool:
        """Whether an entry is one of every so many epochs, or batches where it was saved within an epoch."""
        return self.every is not None and (entry.epoch if entry.batch is None else entry.step) % self.every == 0


def _ends(entry: Saved, epochs: Collection[int]) -> bool:
    return entry.batch is None and entry.epoch in epochs
