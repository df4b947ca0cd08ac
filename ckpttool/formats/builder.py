"""The parts of a checkpoint, which a reader collects while it reads a file."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ckpttool.checkpoint import Checkpoint, Producer, Refusal, Weight
from ckpttool.errors import CheckpointError
from ckpttool.io.budget import Budget, steps_of_text
from ckpttool.io.sources import FileSource

if TYPE_CHECKING:
    from ckpttool.object_graph import ObjectGraph
    from ckpttool.saved_model import SavedModel

_REFUSAL_STEPS = 4  # the price of a refusal


@dataclass(slots=True, eq=False, repr=False)
class Parts:
    """A checkpoint in the making, and the budget of the file or files that it is read from."""

    budget: Budget
    weights: dict[str, Weight] = field(default_factory=dict)
    producer: Producer = field(default_factory=Producer)
    config: Any = None
    training_config: Any = None
    layer_names: list[str] = field(default_factory=list)
    object_names: dict[str, str] = field(default_factory=dict)
    refusals: list[Refusal] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    files: list[str] = field(default_factory=list)
    check_bytes: Callable[[], None] | None = None
    object_graph: ObjectGraph | None = None
    saved_model: SavedModel | None = None
    closers: list[Callable[[], None]] = field(default_factory=list)

    def refuse(self, kind: str, place: str, detail: str) -> None:
        """Add the refusal of a part that reading leaves alone."""
        self.budget.spend(_REFUSAL_STEPS + steps_of_text(place))
        self.refusals.append(Refusal(kind, place, detail))

    def json(self, raw: bytes | str | None, place: str) -> Any:
        """The value of a JSON text, or None where it cannot be read, which is refused; oddities are refused too."""
        if raw is None:
            return None
        from ckpttool.io import json_text  # here, since few checkpoints of TensorFlow have any

        try:
            parsed = json_text.parse(raw, place, self.budget)
        except CheckpointError as error:
            self.refusals.append(Refusal.from_error(error, place))
            return None
        for oddity in parsed.oddities:
            self.refuse(oddity.kind, place, oddity.text)
        return parsed.value

    def small_file(self, path: Path) -> bytes | None:
        """The bytes of a JSON file beside the weights, or None where it cannot be read, which is refused."""
        from ckpttool.io import json_text  # here, since few checkpoints of TensorFlow have any

        try:
            with FileSource(path, self.budget) as source:
                return json_text.read_whole(source, path.name)
        except CheckpointError as error:
            self.refusals.append(Refusal.from_error(error, path.name))
            return None

    def __enter__(self) -> Parts:
        return self

    def __exit__(self, kind: object, *_: object) -> None:
        """Close everything when reading failed; a finished checkpoint leaves it open."""
        if kind is not None:
            self.close()

    def close(self) -> None:
        """Close everything that was opened."""
        for closer in reversed(self.closers):
            closer()

    def checkpoint(self, path: str | os.PathLike[str], kind: str, size: int) -> Checkpoint:
        """The finished checkpoint."""
        return Checkpoint(
            path=Path(path),
            kind=kind,
            size=size,
            weights=self.weights,
            producer=self.producer,
            config=self.config,
            training_config=self.training_config,
            layer_names=tuple(self.layer_names),
            object_names=self.object_names,
            refusals=tuple(self.refusals),
            notes=tuple(self.notes),
            files=tuple(self.files),
            check_bytes=self.check_bytes,
            object_graph=self.object_graph,
            saved_model=self.saved_model,
            release=self.close,
        )
