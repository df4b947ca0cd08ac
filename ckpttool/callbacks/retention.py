"""The retention of checkpoints: those of a series that are no longer needed."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from ckpttool.manifest import Saved


@dataclass(frozen=True, slots=True)
class Retention:
    """The checkpoints to retain: the `last` ones, the `best` ones, those of `every` so many epochs. With None for all
    three, every checkpoint is retained.

    The newest is always retained. Of equal values the earlier is the better; a NaN or missing value is never the best.
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
        """The entries of a series, oldest first, that need not be retained; those that end an epoch in `needed` are."""
        if not self.is_set:
            return ()
        ids_to_keep = {id(entry) for entry in (*saved[-(self.last or 1) :], *self._best(saved))}
        ids_to_keep |= {id(e) for e in saved if self._is_due(e) or (e.ends_epoch and e.epoch in needed)}
        return tuple(entry for entry in saved if id(entry) not in ids_to_keep)

    def _best(self, saved: Sequence[Saved]) -> list[Saved]:
        scored = [(score, entry) for entry in saved if (score := entry.score) is not None]
        return [entry for _, entry in sorted(scored, key=lambda pair: pair[0])[: self.best or 0]]

    def _is_due(self, entry: Saved) -> bool:
        """Whether an entry is one of every so many epochs, or batches where it was saved within an epoch."""
        return self.every is not None and (entry.epoch if entry.batch is None else entry.step) % self.every == 0
