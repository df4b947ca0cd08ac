"""The fingerprint of a checkpoint, the same as long as its content is the same: for git, which compares texts."""

import hashlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from ckpttool.checkpoint import Checkpoint, Refusal, Section
from ckpttool.comparison.arguments import shown
from ckpttool.comparison.models import Model, model_of
from ckpttool.errors import CheckpointError
from ckpttool.formats.assets import read_assets
from ckpttool.inspection.listing import Choice, Row, list_checkpoint


@dataclass(frozen=True, slots=True)
class LayerPrint:
    """One layer: its chain of names, its class, and the arguments that differ from their defaults."""

    layer: str
    class_name: str
    arguments: Any


@dataclass(frozen=True, slots=True)
class Fingerprint:
    """The content of a checkpoint, without paths of files and without dates.

    Its model, the layers in their order, the weights by name, one checksum for the weights of each other section, and
    the assets with their sizes in bytes and checksums. `problem` says why a config gives no layers.
    """

    model: str
    layers: tuple[LayerPrint, ...]
    rows: tuple[Row, ...]
    sections: tuple[tuple[str, int, str], ...]
    problem: str = ""
    assets: tuple[tuple[str, int, str], ...] = ()
    refusals: tuple[Refusal, ...] = ()


def fingerprint(checkpoint: Checkpoint, progress: Callable[[int], None] = lambda nbytes: None) -> Fingerprint:
    """The fingerprint of a checkpoint; reads all values."""
    listing = list_checkpoint(checkpoint, Choice(stats=True, sha256=True), progress)
    sections = (Section.MODEL, Section.OTHER)
    rows = sorted((row for row in listing.rows if row.weight.section in sections), key=_order)
    model, layers, problem = _layers(checkpoint)
    return Fingerprint(
        model, layers, tuple(rows), tuple(_sections(listing.rows)), problem, _assets(checkpoint), listing.refusals
    )


def _assets(checkpoint: Checkpoint) -> tuple[tuple[str, int, str], ...]:
    """The files that layers store beside their weights. Raises CheckpointError where they cannot be read."""
    assets = sorted(read_assets(checkpoint).items())
    return tuple((path, len(raw), hashlib.sha256(raw).hexdigest()) for path, raw in assets)


def _order(row: Row) -> tuple[str, str, str]:
    return row.layer, row.label, row.weight.path


def _layers(checkpoint: Checkpoint) -> tuple[str, tuple[LayerPrint, ...], str]:
    try:
        model = model_of(checkpoint)
    except CheckpointError as error:
        return "", (), error.what
    return (model.obj.title, tuple(_walk(model)), "") if model else ("", (), "")


def _walk(model: Model) -> Iterator[LayerPrint]:
    for node in model.nodes:
        description = shown(node.obj)
        arguments = description.get("config", {}) if isinstance(description, dict) else {}
        yield LayerPrint(node.chain, node.kind, {} if node.inner else arguments)  # those of a model are its layers
        if node.inner is not None:
            yield from _walk(node.inner)


def _sections(rows: tuple[Row, ...]) -> Iterator[tuple[str, int, str]]:
    """The sections of state with the number of their weights and one checksum for all of them."""
    for section in (Section.OPTIMIZER, Section.METRICS):
        checksums = [row.sha256 or row.problem for row in rows if row.weight.section is section]
        if checksums:
            yield section.value, len(checksums), hashlib.sha256("\n".join(checksums).encode()).hexdigest()
