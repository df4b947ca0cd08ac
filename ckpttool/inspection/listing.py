"""The listing of a checkpoint as rows and totals, for `ckpttool ls` and `ckpttool info`.

Values only; `render` makes text of them. Names that the file does not state are taken from its config or its paths and
marked as inferred.
"""

from __future__ import annotations

import fnmatch
import os
from collections.abc import Callable, Container, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from ckpttool.alignment.names import Name, Namer
from ckpttool.checkpoint import Checkpoint, Producer, Refusal, Section, Weight
from ckpttool.errors import CheckpointError
from ckpttool.escape import brief
from ckpttool.formats import open_checkpoint
from ckpttool.formats.assets import asset_sizes
from ckpttool.notebook import Displayed

if TYPE_CHECKING:
    from ckpttool.arrays.statistics import Picture, Stats
    from ckpttool.inspection.cost import Cost, InputShapes, LayerCost
    from ckpttool.model import Architecture, Layer
    from ckpttool.model.summary import LayerGraph

MAX_DEPTH = 64  # names at the start of a path that are taken as layers; a bound on the work for a hostile name


class Row(NamedTuple):
    """One weight of a listing: its names, as `Name` has them, statistics, checksum and picture; `problem` says why
    these are missing."""

    layer: str
    label: str
    weight: Weight
    class_name: str | None = None
    frozen: bool | None = None
    trainable: bool | None = None
    inferred: bool = False
    slot: str | None = None
    stats: Stats | None = None
    sha256: str | None = None
    problem: str = ""
    picture: Picture | None = None

    def __repr__(self) -> str:
        return brief(self)


class LayerRow(NamedTuple):
    """One layer of a listing and the rows of its weights; no rows for a layer without weights."""

    layer: str
    class_name: str | None
    frozen: bool | None
    inferred: bool
    rows: tuple[Row, ...]
    graph: LayerGraph | None = None
    cost: LayerCost | None = None

    def __repr__(self) -> str:
        return brief(self)

    @classmethod
    def of(cls, rows: Sequence[Row], graph: LayerGraph | None = None, cost: LayerCost | None = None) -> LayerRow:
        """The layer to which all `rows` belong."""
        first = rows[0]
        return cls(first.layer, first.class_name, first.frozen, first.inferred, tuple(rows), graph, cost)

    @property
    def total(self) -> Total:
        """The sums over the weights of the layer."""
        return Total.of(row.weight for row in self.rows)


class Total(NamedTuple):
    """The sums over some weights."""

    weights: int
    params: int
    nbytes: int

    @classmethod
    def of(cls, weights: Iterable[Weight]) -> Total:
        """The sums over `weights`."""
        listed = list(weights)
        return cls(len(listed), sum(weight.size for weight in listed), sum(weight.nbytes for weight in listed))


@dataclass(frozen=True, slots=True, repr=False)
class Listing(Displayed):
    """A checkpoint as `ls` shows it; `totals` are over the whole file, whatever rows were chosen.

    `trainable` and `non_trainable` are the sums over the model's trainable and non-trainable weights, as far as the
    config says; None without a config. `assets` are the files of layers that are stored beside the weights, by path,
    with their sizes in bytes. `graph` has the output shapes and connections of layers by name, if asked for, and `cost`
    the cost of a run. `sections_inferred` says that the file does not state the sections of its weights.
    """

    path: Path
    kind: str
    size: int
    producer: Producer
    rows: tuple[Row, ...]
    totals: Mapping[Section, Total]
    trainable: Total | None
    non_trainable: Total | None
    layers: tuple[Layer, ...] = ()
    graph: Mapping[str, LayerGraph] = field(default_factory=dict)
    refusals: tuple[Refusal, ...] = ()
    notes: tuple[str, ...] = ()
    assets: Mapping[str, int] = field(default_factory=dict)
    cost: Cost | None = None
    sections_inferred: bool = False

    def __repr__(self) -> str:
        return (
            f"<Listing {self.path.name!r} {self.kind}: {len(self.rows):,} weights, {self.content.params:,} parameters>"
        )

    @property
    def content(self) -> Total:
        """The sums over everything but the state of training: the sections model and other."""
        totals = [total for section, total in self.totals.items() if section in (Section.MODEL, Section.OTHER)]
        return Total(sum(t.weights for t in totals), sum(t.params for t in totals), sum(t.nbytes for t in totals))

    def by_layer(self) -> tuple[LayerRow, ...]:
        """The rows by layer, in the order of the config where there is one, layers without weights included."""
        gathered: dict[str, list[Row]] = {}
        for row in self.rows:
            gathered.setdefault(row.layer, []).append(row)
        costs = _by_row(self.cost, gathered) if self.cost else {}
        with_weights = {
            name: LayerRow.of(rows, self.graph.get(name), costs.get(name)) for name, rows in gathered.items()
        }
        ordered = dict[str, LayerRow]()
        for layer in self.layers:
            if layer.path in with_weights:
                ordered[layer.path] = with_weights[layer.path]
            elif not _inside(layer.path, gathered):
                facts = self.graph.get(layer.path), costs.get(layer.path)
                ordered[layer.path] = LayerRow(layer.path, layer.class_name, not layer.trainable, False, (), *facts)
        return (*ordered.values(), *(row for name, row in with_weights.items() if name not in ordered))


def _inside(path: str, layers: Container[str]) -> str:
    """The innermost of `layers` that encloses `path`, and so shows its weights; empty for none."""
    parts = path.split("/", MAX_DEPTH)  # bounded, since a name may itself consist of slashes
    enclosing = ("/".join(parts[:end]) for end in range(len(parts) - 1, 0, -1))
    return next((layer for layer in enclosing if layer in layers), "")


def _by_row(cost: Cost, layers: Container[str]) -> dict[str, LayerCost]:
    """The costs of layers by their row: a layer that has none counts for the model around it, which has."""
    groups: dict[str, list[LayerCost]] = {}
    for layer in cost.layers:
        row = layer.layer if layer.layer in layers else _inside(layer.layer, layers) or layer.layer
        groups.setdefault(row, []).append(layer)
    return {
        row: first if first.layer == row and not others else first.with_others(row, others)
        for row, (first, *others) in groups.items()
    }


@dataclass(frozen=True, slots=True)
class Choice:
    """The weights to list and the figures to compute for each.

    Empty `sections` means all sections, empty `match` all weights; `match` are globs over layers and paths.
    `architecture` gives the names and classes of layers for a checkpoint that stores none. `graph` asks for the output
    shapes of layers and for their connections, `pictures` for the histograms and the magnitudes that charts show,
    `cost` for what the model costs with inputs of these shapes, or of those that it declares where it is empty.
    """

    sections: frozenset[Section] = frozenset()
    match: tuple[str, ...] = ()
    stats: bool = False
    sha256: bool = False
    sort: str = "stored"
    architecture: Architecture | None = None
    graph: bool = False
    pictures: bool = False
    cost: InputShapes | None = None

    __repr__ = brief

    @property
    def reads(self) -> bool:
        """Whether the values of weights are read."""
        return self.stats or self.sha256 or self.pictures

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


def ls(path: str | os.PathLike[str], choice: Choice | None = None) -> Listing:
    """The listing of the checkpoint at a path, as `ckpttool ls` shows it. Raises CheckpointError."""
    with open_checkpoint(path) as checkpoint:
        return list_checkpoint(checkpoint, choice or Choice())


def list_checkpoint(
    checkpoint: Checkpoint, choice: Choice = Choice(), progress: Callable[[int], None] = lambda nbytes: None
) -> Listing:
    """The listing of a checkpoint; `progress` is called with the number of bytes of every block that was read."""
    architecture = choice.architecture or own_architecture(checkpoint)
    namer = Namer.of(checkpoint, architecture)
    everything = [_row(weight, namer.name(weight)) for weight in checkpoint.values()]
    rows = sorted((row for row in everything if _chosen(row, choice)), key=SORTS[choice.sort])
    # Figures of a damaged archive would look like those of any other file.
    if choice.reads:
        checkpoint.require_intact()
    measured = tuple(_measured(row, choice, progress) for row in rows)
    model = [row for row in everything if row.weight.section is Section.MODEL]
    return Listing(
        path=checkpoint.path,
        kind=checkpoint.kind,
        size=checkpoint.size,
        producer=checkpoint.producer,
        rows=measured,
        totals=_totals(checkpoint),
        sections_inferred=checkpoint.sections_inferred,
        trainable=_total_where(model, True),
        non_trainable=_total_where(model, False),
        layers=architecture.layers if architecture and choice.everything else (),
        graph=_graph(architecture) if architecture and choice.graph else {},
        refusals=checkpoint.refusals,
        notes=(*checkpoint.notes, *_notes(checkpoint, everything, namer.problem)),
        assets=_assets(checkpoint),
        cost=None if choice.cost is None else _cost(checkpoint, architecture, choice.cost),
    )


def own_architecture(checkpoint: Checkpoint) -> Architecture | None:
    """The architecture in the config of a checkpoint; None where it has weights alone."""
    if checkpoint.config is None:
        return None
    from ckpttool.model import architecture_of  # here, since weights alone need nothing that reads configs

    return architecture_of(checkpoint)


def _assets(checkpoint: Checkpoint) -> dict[str, int]:
    """The files beside the weights with their sizes in bytes; none where there are too many to list."""
    try:
        return asset_sizes(checkpoint)
    except CheckpointError:
        return {}


def _row(weight: Weight, name: Name) -> Row:
    return Row(weight=weight, **name._asdict())


def _graph(architecture: Architecture) -> Mapping[str, LayerGraph]:
    from ckpttool.model.summary import graph_of  # here, since few listings need the rules for shapes

    return graph_of(architecture)


def _cost(checkpoint: Checkpoint, architecture: Architecture | None, question: InputShapes) -> Cost:
    from ckpttool.inspection.cost import cost_of_checkpoint  # here, since few listings need the rules for shapes

    return cost_of_checkpoint(checkpoint, architecture, question)


def _total_where(rows: Iterable[Row], trainable: bool) -> Total | None:
    """The sums over the trainable or the non-trainable weights; None where no weight is known to be either."""
    known = [row for row in rows if row.trainable is not None]
    return Total.of(row.weight for row in known if row.trainable is trainable) if known else None


def _totals(checkpoint: Checkpoint) -> dict[Section, Total]:
    totals = {section: Total.of(checkpoint.section(section)) for section in Section}
    return {section: total for section, total in totals.items() if total.weights}


def _notes(checkpoint: Checkpoint, rows: Iterable[Row], problem: str) -> Iterator[str]:
    if problem:
        yield f"the config does not say which weights the model has: {problem}"
    if checkpoint.format.is_foreign:
        yield "an HDF5 file, but no Keras checkpoint: no layer_names, nb_layers, model_weights or vars groups"
    elif not checkpoint.section(Section.MODEL) and len(checkpoint.section(Section.OPTIMIZER)) > 2:
        yield "holds the state of an optimizer, but no weights of the model it optimized"
    escaped = {name for row in rows for name in (row.layer, row.label) if not name.isprintable()}
    if escaped:
        names = "1 name has" if len(escaped) == 1 else f"{len(escaped):,} names have"
        yield f"{names} characters that could act on a terminal, which are shown escaped"


def _chosen(row: Row, choice: Choice) -> bool:
    if choice.sections and row.weight.section not in choice.sections:
        return False
    names = (row.layer, row.weight.path, f"{row.layer}/{row.label}", row.weight.name or row.weight.path)
    return not choice.match or any(fnmatch.fnmatchcase(name, glob) for glob in choice.match for name in names)


def _measured(row: Row, choice: Choice, progress: Callable[[int], None]) -> Row:
    """The row with its statistics and checksum; for a weight that cannot be read, with the reason as `problem`."""
    if not choice.reads:
        return row
    from ckpttool.arrays.statistics import measure  # a plain listing reads no values

    try:
        measurement = measure(
            row.weight, stats=choice.stats, sha256=choice.sha256, picture=choice.pictures, progress=progress
        )
    except CheckpointError as error:
        return row._replace(problem=error.what)
    return row._replace(stats=measurement.stats, sha256=measurement.sha256, picture=measurement.picture)
