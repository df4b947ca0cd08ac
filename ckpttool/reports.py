"""A report of one checkpoint: all that the commands say about it, gathered for one page.

What does not apply to a checkpoint is None: a file of weights has no architecture to load into, a model of Keras 3
needs no conversion, and there is a diff only where there is a baseline.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from ckpttool.checkpoint import Checkpoint, Section
from ckpttool.checks.policy import EVERYTHING, Policy
from ckpttool.checks.result import CheckReport
from ckpttool.checks.runner import check_opened
from ckpttool.errors import CheckpointError
from ckpttool.formats import open_checkpoint
from ckpttool.inspection.info import Info, info_of
from ckpttool.inspection.listing import Choice, Listing, list_checkpoint
from ckpttool.model import architecture_of
from ckpttool.model.generations.generation import Generation, generation_of
from ckpttool.notebook import Displayed
from ckpttool.verification import VerifyResult, verify

if TYPE_CHECKING:
    from ckpttool.comparison import Diff
    from ckpttool.conversion import Conversion
    from ckpttool.inspection.cost import Cost
    from ckpttool.inspection.graph import ModelGraph

_MOST_DRAWN = 120  # layers of a model whose graph is drawn
_EVERYTHING = Choice(frozenset({Section.MODEL, Section.OTHER}), stats=True, pictures=True, graph=True)

Progress = Callable[[int], None]
Result = TypeVar("Result")


@dataclass(frozen=True, slots=True)
class Report(Displayed):
    """All that is known of one checkpoint. `notes` say what could not be found out, and why."""

    info: Info
    listing: Listing
    check: CheckReport
    verdict: VerifyResult | None = None
    conversion: Conversion | None = None
    diff: Diff | None = None
    graph: ModelGraph | None = None
    notes: tuple[str, ...] = ()

    def __repr__(self) -> str:
        return f"<Report {self.info.path.name!r}: {self.listing.content.params:,} parameters, {self.check.verdict}>"


def report(
    path: str | os.PathLike[str],
    baseline: str | os.PathLike[str] | None = None,
    policy: Policy = EVERYTHING,
    progress: Progress = lambda nbytes: None,
) -> Report:
    """The report of the checkpoint at a path, and its diff to a baseline where one is given.

    All values are read. `progress` is called with the number of bytes of every block that was read for the listing.
    Raises CheckpointError where the checkpoint or the baseline cannot be opened, or its values cannot be read; nothing
    else stops a report.
    """
    with open_checkpoint(path) as checkpoint:
        listing = list_checkpoint(checkpoint, _EVERYTHING, progress)
        info = info_of(checkpoint, listing, architecture_of(checkpoint))
        generation = None if checkpoint.config is None else generation_of(checkpoint.config)
        notes = list[str]()
        verdict = _attempt(lambda: _loading(checkpoint), "loading was not judged", notes)
        graph = _attempt(lambda: _graph(checkpoint), "no graph was drawn", notes)
        cost = _attempt(lambda: _cost(checkpoint), "no cost was counted", notes)
        report = check_opened(checkpoint, os.fspath(path), policy)
        conversion = None
        if generation not in (None, Generation.KERAS_3):
            conversion = _attempt(lambda: _plan(checkpoint), "no conversion was planned", notes)
    info, listing = replace(info, cost=cost), replace(listing, cost=cost)
    changes = None if baseline is None else _changes(baseline, path)
    return Report(info, listing, report, verdict, conversion, changes, graph, tuple(notes))


def _loading(checkpoint: Checkpoint) -> VerifyResult | None:
    """Whether a whole model loads into its own architecture."""
    return None if checkpoint.config is None else verify(checkpoint, checkpoint)


def _graph(checkpoint: Checkpoint) -> ModelGraph | None:
    """The graph of a model; None for one without layers, and for one so large that nobody would see its parts."""
    architecture = architecture_of(checkpoint)
    if architecture is None or not 0 < len(architecture.layers) <= _MOST_DRAWN:
        return None
    from ckpttool.inspection.graph import graph_of  # here, since files of weights alone need none

    return graph_of(architecture, str(checkpoint.path))


def _cost(checkpoint: Checkpoint) -> Cost | None:
    """The cost of a run of a model, for the inputs that it declares; None for one without layers."""
    architecture = architecture_of(checkpoint)
    if architecture is None or not architecture.layers:
        return None
    from ckpttool.inspection.cost import cost_of_checkpoint  # here, since files of weights alone cost nothing

    return cost_of_checkpoint(checkpoint, architecture)


def _plan(checkpoint: Checkpoint) -> Conversion:
    from ckpttool.conversion import plan  # slow to import, and most models are of Keras 3

    return plan(checkpoint, _target(checkpoint.path))


def _changes(baseline: str | os.PathLike[str], path: str | os.PathLike[str]) -> Diff:
    from ckpttool.comparison import Scope  # slow to import, and few reports have a baseline
    from ckpttool.equivalence import diff

    return diff(baseline, path, Scope(pictures=True))


def _target(path: Path) -> Path:
    """A name for the converted model, of which nothing is written."""
    return path.with_name(f"{path.name.split('.')[0] or 'model'}.keras3.keras")


def _attempt(act: Callable[[], Result | None], act_name: str, notes: list[str]) -> Result | None:
    """The result of an act, or None and a note where it cannot be done."""
    try:
        return act()
    except CheckpointError as error:
        notes.append(f"{act_name}: {error.what}")
        return None
