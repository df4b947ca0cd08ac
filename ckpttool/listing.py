"""What `ckpttool ls` and `ckpttool info` tell: a checkpoint as rows and totals.

Values only; how they look is up to `render`. Names that the file does not state are taken from its config or its paths
and marked as inferred.
"""

import fnmatch
import itertools
from collections.abc import Callable, Container, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from ckpttool.architecture import Architecture, Layer, read_architecture
from ckpttool.checkpoint import Checkpoint, Producer, Refusal, Section, Weight
from ckpttool.errors import CheckpointError
from ckpttool.numerics import Stats, measure

MAX_DEPTH = 64  # names of a chain that are told apart

_CONTAINERS = frozenset({"layers", "_layer_checkpoint_dependencies", "vars"})


@dataclass(frozen=True, slots=True)
class Row:
    """One weight of a listing. `layer` is what to call its layer, `label` what to call the weight inside it.

    `class_name` and `trainable` come from the config and are None where it does not tell; `inferred` says that the
    layer's name is not stored but concluded from the config or the path.
    """

    weight: Weight
    layer: str
    label: str
    class_name: str | None = None
    trainable: bool | None = None
    inferred: bool = False
    stats: Stats | None = None
    sha256: str | None = None
    problem: str = ""


@dataclass(frozen=True, slots=True)
class LayerRow:
    """One layer of a listing and the rows of its weights, none for a layer without any."""

    layer: str
    class_name: str | None
    trainable: bool | None
    inferred: bool
    rows: tuple[Row, ...]

    @classmethod
    def of(cls, rows: Sequence["Row"]) -> "LayerRow":
        """The layer of rows that belong to one layer."""
        first = rows[0]
        trainable = first.trainable if len({row.trainable for row in rows}) == 1 else None
        return cls(first.layer, first.class_name, trainable, first.inferred, tuple(rows))

    @property
    def total(self) -> "Total":
        """The sums over its weights."""
        return Total.of(row.weight for row in self.rows)


@dataclass(frozen=True, slots=True)
class Total:
    """The sums over some weights."""

    weights: int
    params: int
    nbytes: int

    @classmethod
    def of(cls, weights: Iterable[Weight]) -> "Total":
        """The sums over `weights`."""
        listed = list(weights)
        return cls(len(listed), sum(weight.size for weight in listed), sum(weight.nbytes for weight in listed))


@dataclass(frozen=True, slots=True)
class Listing:
    """A checkpoint as `ls` shows it. `totals` are over the whole file, whatever rows were chosen."""

    path: Path
    kind: str
    size: int
    producer: Producer
    rows: tuple[Row, ...]
    totals: dict[Section, Total]
    frozen: Total | None
    layers: tuple[Layer, ...] = ()
    refusals: tuple[Refusal, ...] = ()
    notes: tuple[str, ...] = ()

    def by_layer(self) -> tuple[LayerRow, ...]:
        """The rows by layer: in the order of the config where there is one, layers without weights included."""
        gathered: dict[str, list[Row]] = {}
        for row in self.rows:
            gathered.setdefault(row.layer, []).append(row)
        found = {name: LayerRow.of(rows) for name, rows in gathered.items()}
        ordered = dict[str, LayerRow]()
        for layer in self.layers:
            if layer.path in found:
                ordered[layer.path] = found[layer.path]
            elif not layer.is_model and not _inside(layer.path, gathered):
                ordered[layer.path] = LayerRow(layer.path, layer.class_name, layer.trainable, False, ())
        return (*ordered.values(), *(row for name, row in found.items() if name not in ordered))


def _inside(path: str, layers: Container[str]) -> bool:
    """Whether a layer that encloses `path` is among `layers`, and so shows its weights."""
    parts = path.split("/", MAX_DEPTH)  # a name may itself consist of slashes
    return any("/".join(parts[:end]) in layers for end in range(1, len(parts)))


@dataclass(frozen=True, slots=True)
class Choice:
    """Which weights to list and what to compute: empty `sections` means all, `match` a glob over layers and paths."""

    sections: frozenset[Section] = frozenset()
    match: tuple[str, ...] = ()
    stats: bool = False
    sha256: bool = False
    sort: str = "stored"

    @property
    def everything(self) -> bool:
        """Whether all weights of the model are listed, in stored order."""
        return self.sort == "stored" and not self.match and (not self.sections or Section.MODEL in self.sections)


SORTS: dict[str, Callable[[Row], Any]] = {
    "stored": lambda row: 0,
    "name": lambda row: (row.layer, row.label),
    "size": lambda row: -row.weight.nbytes,
    "params": lambda row: -row.weight.size,
}


def list_checkpoint(
    checkpoint: Checkpoint, choice: Choice = Choice(), progress: Callable[[int], None] = lambda nbytes: None
) -> Listing:
    """The listing of a checkpoint; `progress` is told the bytes of every block that was read."""
    namer = _Namer(checkpoint)
    everything = [namer.row(weight) for weight in checkpoint.values()]
    rows = sorted((row for row in everything if _chosen(row, choice)), key=SORTS[choice.sort])
    if (choice.stats or choice.sha256) and checkpoint.check_bytes is not None:
        checkpoint.check_bytes()
    measured = tuple(_measured(row, choice, progress) for row in rows)
    model = [row for row in everything if row.weight.section is Section.MODEL]
    knows = [row for row in model if row.trainable is not None]
    return Listing(
        path=checkpoint.path,
        kind=checkpoint.kind,
        size=checkpoint.size,
        producer=checkpoint.producer,
        rows=measured,
        totals=_totals(checkpoint),
        frozen=Total.of(row.weight for row in knows if not row.trainable) if knows else None,
        layers=namer.architecture.layers if namer.architecture and choice.everything else (),
        refusals=checkpoint.refusals,
        notes=(*checkpoint.notes, *_notes(checkpoint, everything)),
    )


def _totals(checkpoint: Checkpoint) -> dict[Section, Total]:
    totals = {section: Total.of(checkpoint.section(section)) for section in Section}
    return {section: total for section, total in totals.items() if total.weights}


def _notes(checkpoint: Checkpoint, rows: Iterable[Row]) -> Iterator[str]:
    if checkpoint.kind == "hdf5":
        yield "an HDF5 file, but no Keras checkpoint: no layer_names, nb_layers, model_weights or vars groups"
    elif not checkpoint.section(Section.MODEL) and len(checkpoint.section(Section.OPTIMIZER)) > 2:
        yield "holds the state of an optimizer, but no weights of the model it optimized"
    escaped = {name for row in rows for name in (row.layer, row.label) if not name.isprintable()}
    if escaped:
        yield f"{len(escaped):,} names have characters that could act on a terminal; they are shown escaped"


def _chosen(row: Row, choice: Choice) -> bool:
    if choice.sections and row.weight.section not in choice.sections:
        return False
    names = (row.layer, row.weight.path, f"{row.layer}/{row.label}", row.weight.name or row.weight.path)
    return not choice.match or any(fnmatch.fnmatchcase(name, glob) for glob in choice.match for name in names)


def _measured(row: Row, choice: Choice, progress: Callable[[int], None]) -> Row:
    """The row with its statistics and checksum; a weight that cannot be read gets the reason instead."""
    if not (choice.stats or choice.sha256):
        return row
    try:
        found = measure(row.weight, stats=choice.stats, sha256=choice.sha256, progress=progress)
    except CheckpointError as error:
        return replace(row, problem=error.what)
    return replace(row, stats=found.stats, sha256=found.sha256)


@dataclass(slots=True)
class _Namer:
    """Gives every weight the names to list it under."""

    checkpoint: Checkpoint
    architecture: Architecture | None = field(init=False)
    _by_path: dict[str, Layer] = field(init=False)
    _by_place: dict[tuple[str, ...], Layer] = field(init=False)
    _layers: tuple[Layer, ...] = field(init=False)
    _positions: dict[str, int] = field(init=False)
    _inside: dict[str, dict[str, set[bool]]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.architecture = read_architecture(self.checkpoint.config)
        self._layers = self.architecture.layers if self.architecture else ()
        self._positions = {layer.path: at for at, layer in enumerate(self._layers)}
        self._by_path = self.architecture.by_path() if self.architecture else {}
        self._by_place = self.architecture.by_place() if self.architecture else {}

    def row(self, weight: Weight) -> Row:
        """The row of a weight, before anything is measured."""
        if weight.section is not Section.MODEL:
            return Row(weight, weight.section.value, weight.name or weight.path)
        if weight.name is not None:
            return self._named(weight, weight.layer or "", _short(weight))
        index = weight.path.rpartition("/")[2]
        if weight.layer is not None:
            return self._named(weight, weight.layer, f"{weight.part}/{index}" if weight.part else index)
        return self._placed(weight, index)

    def _named(self, weight: Weight, layer: str, label: str) -> Row:
        known = self._by_path.get(layer)
        if known is None:
            return Row(weight, layer, label)
        trainable = self._trainable_inside(known, weight) if known.is_model else known.trainable
        return Row(weight, layer, label, known.class_name, trainable)

    def _trainable_inside(self, model: Layer, weight: Weight) -> bool | None:
        """Whether a weight of a nested model is of a trainable layer: legacy files name the model as its layer, and
        the layer itself at best in the weight's name. None where that does not tell."""
        inside = self._inside.get(model.path)
        if inside is None:
            inside = self._inside[model.path] = self._settings_inside(model)
        if len(inside[""]) < 2:
            return next(iter(inside[""]), model.trainable)
        found = set[bool]().union(*(inside.get(name, ()) for name in (weight.name or "").split("/")[:-1] if name))
        return found.pop() if len(found) == 1 else None

    def _settings_inside(self, model: Layer) -> dict[str, set[bool]]:
        """Whether the layers in a nested model are trainable, by their names; those of all under the empty name."""
        found: dict[str, set[bool]] = {"": set()}
        for layer in itertools.islice(self._layers, self._positions[model.path] + 1, None):
            if not layer.path.startswith(f"{model.path}/"):
                break
            if not layer.is_model:
                found[""].add(layer.trainable)
                found.setdefault(layer.name, set()).add(layer.trainable)
        return found

    def _placed(self, weight: Weight, index: str) -> Row:
        """The row of a weight whose layer's name is not stored: by the config where its path fits, else by the path."""
        parts = _as_keras_3(tuple(weight.path.replace("\\", "/").split("/")[:-2]))
        for end in range(len(parts), 1, -1):
            known = self._by_place.get(parts[:end])
            if known is not None:
                label = "/".join((*parts[end:], index))
                return Row(weight, known.path, label, known.class_name, known.trainable, inferred=True)
        return Row(weight, "/".join(part for part in parts if part not in _CONTAINERS), index, inferred=True)


def _as_keras_3(parts: tuple[str, ...]) -> tuple[str, ...]:
    """The path of an object as Keras 3 would write it.

    Keras 2.12 and 2.13 list each layer with weights twice in `_layer_checkpoint_dependencies`, as
    `layer_with_weights-N` and as `layer-N`, and number both: their `dense_2` is the second Dense
    (`Functional._layer_checkpoint_dependencies`, keras/engine/functional.py, 2.12).
    """
    found = list(parts)
    for at, part in enumerate(parts):
        if part == "_layer_checkpoint_dependencies":
            found[at] = "layers"
            stem, _, number = parts[at + 1].rpartition("_") if at + 1 < len(parts) else ("", "", "")
            if stem and number.isdigit():
                found[at + 1] = f"{stem}_{int(number) // 2}" if int(number) > 1 else stem
    return tuple(found)


def _short(weight: Weight) -> str:
    """The stored name of a weight without what repeats its layer's name in front and `:0` behind."""
    name, layer = weight.name or "", weight.layer or ""
    name = name.removesuffix(":0")
    return name.removeprefix(f"{layer}/").removeprefix(f"{layer}_") or name
