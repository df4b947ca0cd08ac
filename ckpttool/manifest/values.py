"""A manifest, its entries and the states of callbacks, as values."""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import Enum

from ckpttool.escape import brief


class State(str, Enum):
    """The state of an entry's file: being written, complete, being replaced, or being deleted."""

    WRITING = "writing"
    COMPLETE = "complete"
    REPLACED = "replaced"
    DELETING = "deleting"


StateValue = float | str | tuple[float, ...] | None
"""A value in the state of a callback: a number, a text, several numbers, nothing."""


@dataclass(frozen=True, slots=True)
class CallbackState:
    """The state of another callback of the same `fit`. `number` distinguishes callbacks of one class."""

    class_name: str
    number: int
    values: Mapping[str, StateValue]


@dataclass(frozen=True, slots=True)
class EpochLogs:
    """The logs of one whole epoch of a run. `epoch` counts from one."""

    run: str
    epoch: int
    logs: Mapping[str, float]


@dataclass(frozen=True, slots=True)
class Saved:
    """An entry of the manifest: one saved checkpoint.

    `file` is its path from the directory. `series` is the template of its name. `epoch` counts from one; `batch` is
    the number of batches of that epoch that were done, None where the whole epoch was; `step` counts the batches of the
    whole run. `value` is the value of the log `monitor`, None where that was missing. `seeds` and `metrics` are the
    states of random numbers and, within an epoch, of metrics, which Keras does not save. `generators` are the states
    of the process's random generators, and `generators_before` their states at the start of an unfinished epoch; only
    the newest entries have them. `notes` are the user's own.
    """

    file: str
    series: str
    state: State
    epoch: int
    batch: int | None
    step: int
    sha256: str
    size: int
    mtime_ns: int = 0
    run: str = ""
    reason: str = ""
    monitor: str = ""
    mode: str = "min"
    value: float | None = None
    logs: Mapping[str, float] = field(default_factory=dict)
    seconds: float = 0.0
    date: str = ""
    keras: str = ""
    backend: str = ""
    ckpttool: str = ""
    callbacks: tuple[CallbackState, ...] = ()
    seeds: tuple[tuple[int, ...], ...] = ()
    metrics: tuple[tuple[float, ...], ...] = ()
    generators: Mapping[str, str] = field(default_factory=dict)
    generators_before: Mapping[str, str] = field(default_factory=dict)
    notes: Mapping[str, float | str] = field(default_factory=dict)

    __repr__ = brief

    @property
    def complete(self) -> bool:
        """Whether the file is completely written and in its place."""
        return self.state is State.COMPLETE

    @property
    def ends_epoch(self) -> bool:
        """Whether the checkpoint was saved at the end of its epoch."""
        return self.batch is None

    @property
    def score(self) -> float | None:
        """The monitored value, the smaller the better; None where it is missing or NaN, or its mode is not known."""
        if self.value is None or not self.mode or math.isnan(self.value):
            return None
        return -self.value if self.mode == "max" else self.value


_WITH_GENERATORS = 7  # the newest entries, before one is added, that keep the states of generators


@dataclass(frozen=True, slots=True)
class Manifest:
    """The checkpoints that were saved, oldest first, the logs of all epochs of their runs, and the problems of invalid
    entries."""

    saved: tuple[Saved, ...] = ()
    problems: tuple[str, ...] = ()
    epochs: tuple[EpochLogs, ...] = ()

    def with_saved(self, entry: Saved) -> "Manifest":
        """The manifest with one more entry. A complete entry replaces others for the same file; an incomplete one marks
        them REPLACED, as it is undecided which of them the file is."""
        if entry.complete:
            others = tuple(saved for saved in self.saved if saved.file != entry.file)
            return replace(self, saved=(*_without_old_generators(others), entry))
        marked = self.with_state([entry.file], State.REPLACED)
        return replace(marked, saved=(*_without_old_generators(marked.saved), entry))

    def with_epochs(self, epochs: Iterable[EpochLogs]) -> "Manifest":
        """The manifest with the logs of more epochs, in the place of those that it has of the same epochs."""
        merged = {(epoch.run, epoch.epoch): epoch for epoch in (*self.epochs, *epochs)}
        return replace(self, epochs=tuple(merged.values()))

    def of_run(self, run: str) -> "Manifest":
        """The manifest with the entries of one run only."""
        return replace(self, saved=tuple(entry for entry in self.saved if entry.run == run))

    def with_state(self, files: Iterable[str], state: State) -> "Manifest":
        """The manifest with another state of the entries of these files."""
        named = set(files)
        return replace(self, saved=tuple(replace(e, state=state) if e.file in named else e for e in self.saved))


def _without_old_generators(saved: tuple[Saved, ...]) -> tuple[Saved, ...]:
    """The entries without the states of generators, some kB each, except in the newest ones."""
    old, new = saved[:-_WITH_GENERATORS], saved[-_WITH_GENERATORS:]
    return (*(replace(e, generators={}, generators_before={}) if e.generators else e for e in old), *new)


def best_entry(saved: Iterable[Saved]) -> Saved | None:
    """The best complete entry: of equal values the first; NaN is never the best. None where no value is known."""
    known = [(entry.score, entry) for entry in saved if entry.complete]
    scores = [(score, entry) for score, entry in known if score is not None]
    return min(scores, key=lambda pair: pair[0])[1] if scores else None


def bests(saved: Sequence[Saved]) -> tuple[Saved, ...]:
    """The best entry of every series by every value that it was monitored by."""
    groups: dict[tuple[str, str, str], list[Saved]] = {}
    for entry in saved:
        groups.setdefault((entry.series, entry.monitor, entry.mode), []).append(entry)
    return tuple(best for group in groups.values() if (best := best_entry(group)) is not None)
