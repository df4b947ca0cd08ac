"""What a manifest tells, as values."""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import Enum


class State(str, Enum):
    """How far the file of an entry is: about to take its place, there, about to give it up, or to be deleted."""

    WRITING = "writing"
    COMPLETE = "complete"
    REPLACED = "replaced"
    DELETING = "deleting"


Stored = float | str | tuple[float, ...] | None
"""What a callback may keep: a number, a text, several numbers, nothing."""


@dataclass(frozen=True, slots=True)
class CallbackState:
    """What another callback of the same `fit` had counted. `number` tells several of one class apart."""

    class_name: str
    number: int
    values: Mapping[str, Stored]


@dataclass(frozen=True, slots=True)
class Saved:
    """One checkpoint that was saved: an entry of the manifest.

    `file` is its path from the directory. `series` is the template of its name. `epoch` counts from one; `batch` is
    how many batches of that epoch were done, None where the whole epoch was; `step` counts the batches of the whole
    run. `value` is what `monitor` was, None where it was not there. `seeds` and
    `metrics` are the states of random numbers and, within an epoch, of metrics, which Keras does not save; `generators`
    are those of the generators of the process, and `generators_before` what they were when an epoch that is not over
    began, both for the newest entries alone. `notes` are the user's own.
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

    @property
    def complete(self) -> bool:
        """Whether the file has taken its place."""
        return self.state is State.COMPLETE

    @property
    def score(self) -> float | None:
        """The monitored value, the smaller the better; None where there is none, it is NaN, or nobody knows."""
        if self.value is None or not self.mode or math.isnan(self.value):
            return None
        return -self.value if self.mode == "max" else self.value


_WITH_GENERATORS = 7  # entries before the newest one


@dataclass(frozen=True, slots=True)
class Manifest:
    """What was saved, oldest first, and what could not be made sense of."""

    saved: tuple[Saved, ...] = ()
    problems: tuple[str, ...] = ()

    def with_saved(self, entry: Saved) -> "Manifest":
        """With one more entry. Others of its file give way; until this one is complete, it is open which is there."""
        if entry.complete:
            others = tuple(each for each in self.saved if each.file != entry.file)
            return replace(self, saved=(*_lightened(others), entry))
        found = self.with_state([entry.file], State.REPLACED)
        return replace(found, saved=(*_lightened(found.saved), entry))

    def of_run(self, run: str) -> "Manifest":
        """The entries of one run."""
        return replace(self, saved=tuple(entry for entry in self.saved if entry.run == run))

    def with_state(self, files: Iterable[str], state: State) -> "Manifest":
        """With another state of the entries of some files."""
        named = set(files)
        return replace(self, saved=tuple(replace(e, state=state) if e.file in named else e for e in self.saved))


def _lightened(saved: tuple[Saved, ...]) -> tuple[Saved, ...]:
    """Entries of which the newest alone keep the states of generators, some kB each."""
    old = (replace(e, generators={}, generators_before={}) if e.generators else e for e in saved[:-_WITH_GENERATORS])
    return (*old, *saved[-_WITH_GENERATORS:])


def best_of(saved: Iterable[Saved]) -> Saved | None:
    """The best entry: of equal values the first to reach it; NaN is never the best. None where no value is known."""
    known = [(entry.score, entry) for entry in saved if entry.complete]
    scores = [(score, entry) for score, entry in known if score is not None]
    return min(scores, key=lambda pair: pair[0])[1] if scores else None


def bests(saved: Sequence[Saved]) -> tuple[Saved, ...]:
    """The best entry of every series by every value that it was monitored by."""
    groups: dict[tuple[str, str, str], list[Saved]] = {}
    for entry in saved:
        groups.setdefault((entry.series, entry.monitor, entry.mode), []).append(entry)
    return tuple(found for group in groups.values() if (found := best_of(group)) is not None)
