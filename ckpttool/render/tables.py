"""Rows of listings as text, shared by the outputs that are tables."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from ckpttool.checkpoint import Section
from ckpttool.escape import printable
from ckpttool.formats import FORMATS
from ckpttool.inspection.listing import LayerRow, Listing, Row, Total
from ckpttool.render.costs import COST_HEADERS, cost_cells, cost_lines, summary_cost_cells
from ckpttool.render.style import date, number, pretty_layer, producer, shape, size

if TYPE_CHECKING:
    from ckpttool.inspection.directories import Summary
    from ckpttool.inspection.info import Info
    from ckpttool.manifest import Record
    from ckpttool.model.graph import Tensor
    from ckpttool.model.summary import LayerGraph

SUMMARY_HEADERS = [
    *("checkpoint", "what", "written by", "weights", "params", "size", "MACs", "FLOPs"),
    *("epoch", "step", "metric", "best", "damage", "saved", "newest"),
]
"""The column titles of a table of checkpoints."""
OPTIONAL_FROM = SUMMARY_HEADERS.index("MACs")
"""The index of the first column that is left out where it is empty."""

STATS = ("min", "max", "mean", "std", "zeros", "NaN", "Inf")


def weight_headers(listing: Listing) -> list[str]:
    """The column titles of a table of weights, without those of empty columns."""
    titles = ["layer", "class", "weight", "shape", "dtype", "params", "size"]
    if not any(row.class_name for row in listing.rows):
        titles.remove("class")
    if any(row.stats for row in listing.rows):
        titles.extend(STATS)
    if any(row.sha256 for row in listing.rows):
        titles.append("sha256")
    return titles


def shown_rows(listing: Listing) -> Sequence[Row]:
    """The rows in the order to show them: that of the config for a complete listing as stored, else the chosen one."""
    if not listing.layers:
        return listing.rows
    return [row for layer in listing.by_layer() for row in layer.rows]


def weight_cells(row: Row, titles: list[str]) -> list[str]:
    """The cells of one weight for these column titles."""
    weight, stats = row.weight, row.stats
    cells = {
        "layer": printable(pretty_layer(row.layer, row.inferred), 200),
        "class": printable(row.class_name or "", 100),
        "weight": printable(row.label, 200),
        "shape": shape(weight.shape),
        "dtype": printable(weight.dtype, 100),
        "params": f"{weight.size:,}",
        "size": size(weight.nbytes),
        "sha256": row.sha256 or row.problem,
    }
    if stats is not None:
        cells |= {"min": number(stats.minimum), "max": number(stats.maximum), "mean": number(stats.mean)}
        cells |= {
            "std": number(stats.std),
            "zeros": f"{stats.zeros:,}",
            "NaN": f"{stats.nan:,}",
            "Inf": f"{stats.inf:,}",
        }
    if row.picture is not None:
        from ckpttool.render.sparklines import sparkline  # here, since only terminals show them

        cells["histogram"] = sparkline(row.picture.histogram)
    if stats is None and row.problem:
        cells["min"] = printable(row.problem, 200)
    return [cells.get(title, "") for title in titles]


LAYER_HEADERS = [
    *("layer", "class", "trainable", "output shape", "weights", "shapes", "dtype", "params", "size", "connected to"),
]
_MANY = 6
_ASSETS = 20  # files that a listing names


def layer_headers(listing: Listing) -> list[str]:
    """The column titles of a table of layers, with those of costs where they were asked for."""
    return [*LAYER_HEADERS, *(COST_HEADERS if listing.cost else ())]


def layer_cells(layer: LayerRow) -> list[str]:
    """The cells of one layer, those of its cost last; a table takes as many of them as it has titles."""
    weights = [row.weight for row in layer.rows]
    shapes = " ".join(shape(weight.shape) for weight in weights[:_MANY]) + (" ..." if len(weights) > _MANY else "")
    return [
        printable(pretty_layer(layer.layer, layer.inferred), 200),
        printable(layer.class_name or "", 100),
        "frozen" if layer.frozen else "",
        output_cell(layer.graph),
        str(len(weights) or ""),
        shapes,
        printable(", ".join(dict.fromkeys(weight.dtype for weight in weights)), 100),
        f"{layer.total.params:,}" if weights else "",
        size(layer.total.nbytes) if weights else "",
        inbound_cell(layer.graph),
        *cost_cells(layer.cost),
    ]


def output_cell(graph: LayerGraph | None) -> str:
    """The output shapes of a layer, each once; empty where none is known."""
    known = [shape(dims) for dims in (graph.shapes if graph else ()) if dims is not None]
    return _few(known)


def inbound_cell(graph: LayerGraph | None) -> str:
    """The layers whose outputs a layer takes, with number of call and output where these are not the first ones."""
    return _few([_tensor(tensor) for tensor in (graph.inbound if graph else ())])


def _tensor(tensor: Tensor) -> str:
    place = f"[{tensor.node}][{tensor.output}]" if tensor.node or tensor.output else ""
    return printable(tensor.layer, 200) + place


def _few(texts: list[str]) -> str:
    return ", ".join(texts[:_MANY]) + (" ..." if len(texts) > _MANY else "")


def cut_to_depth(layers: tuple[LayerRow, ...], depth: int | None) -> tuple[LayerRow, ...]:
    """The layers, grouped by the first `depth` names of their path."""
    if depth is None:
        return layers
    gathered: dict[str, list[LayerRow]] = {}
    for layer in layers:
        gathered.setdefault("/".join(layer.layer.split("/")[:depth]), []).append(layer)
    return tuple(_joined(name, group) for name, group in gathered.items())


def _joined(name: str, group: list[LayerRow]) -> LayerRow:
    if len(group) == 1 and group[0].layer == name:
        return group[0]
    own = next((layer for layer in group if layer.layer == name), None)
    costs = [layer.cost for layer in group if layer.cost]
    cost = costs[0].with_others(name, costs[1:]) if costs else None
    rows = tuple(row for layer in group for row in layer.rows)
    inferred = any(layer.inferred for layer in group)
    if own is None:
        return LayerRow(name, None, None, inferred, rows, cost=cost)
    return own._replace(inferred=inferred, rows=rows, cost=cost)


def totals(listing: Listing) -> list[str]:
    """The sums under a listing, one line a section."""
    lines = []
    for section, total in listing.totals.items():
        lines.append(f"{pretty_section(section, listing.sections_inferred):<10}{_sum(total)}")
        if section is Section.MODEL and listing.trainable and listing.non_trainable:
            lines.append(f"  {by_training(listing)}")
    lines += _assets(listing.assets) + cost_lines(listing.cost)
    if any(row.inferred and row.weight.section is Section.MODEL for row in listing.rows):
        lines.append("~ the name is not stored; it is inferred from the config or the path")
    if listing.sections_inferred:
        lines.append("~ the section is not stored; it is inferred from the names of the variables")
    return lines


def pretty_section(section: Section, inferred: bool) -> str:
    """The name of a section, marked where the file does not say what is in it."""
    return f"~{section.value}" if inferred else section.value


def _assets(files: Mapping[str, int]) -> list[str]:
    """The files beside the weights, one a line."""
    lines = [f"{'assets':<10}{len(files):>7,} file{'s' * (len(files) > 1)}"] if files else []
    lines += [f"  {printable(path, 200)}  {size(nbytes)}" for path, nbytes in list(files.items())[:_ASSETS]]
    return [*lines, f"  and {len(files) - _ASSETS:,} more"] if len(files) > _ASSETS else lines


def by_training(result: Listing | Info) -> str:
    """The numbers of parameters that are trained and that are not, as far as that is known."""
    known = [total.params if total else 0 for total in (result.trainable, result.non_trainable)]
    unknown = result.totals[Section.MODEL].params - sum(known) if Section.MODEL in result.totals else 0
    rest = f", not known of {unknown:,}" if unknown else ""
    return f"trainable {known[0]:,}, non-trainable {known[1]:,}{rest}"


def _sum(total: Total) -> str:
    weights = "weight" if total.weights == 1 else "weights"
    return f"{total.weights:>7,} {weights}  {total.params:>14,} parameters  {size(total.nbytes):>10}"


def summary_cells(result: Summary) -> list[str]:
    """The cells of one checkpoint among several."""
    path, saved = printable(str(result.path)), _saved_cells(result)
    if result.listing is None:
        return [
            path,
            printable(result.error.split("\n")[0]),
            *[""] * (OPTIONAL_FROM - 2),
            *summary_cost_cells(None),
            *saved,
        ]
    listing = result.listing
    title, weights, params = FORMATS[listing.kind].title, listing.content.weights, listing.content.params
    facts = [path, title, producer(listing.producer), f"{weights:,}", f"{params:,}", size(listing.size)]
    return [*facts, *summary_cost_cells(listing.cost), *saved]


def _saved_cells(result: Summary) -> list[str]:
    """The cells of a checkpoint's entry in the manifest or in TensorFlow's state file."""
    if result.record is not None:
        return [*_recorded_cells(result.record), "", ""]
    managed = result.managed
    if managed is None:
        return [""] * 7
    step = "" if managed.step is None else f"{managed.step:,}"
    return ["", step, "", "", "", date(managed.time), "newest" if managed.newest else ""]


def _recorded_cells(record: Record) -> list[str]:
    """The cells of a checkpoint's entry in the manifest; within an epoch with the number of batches that were done."""
    saved = record.saved
    epoch = f"{saved.epoch:,}" if saved.batch is None else f"{saved.epoch:,}, batch {saved.batch:,}"
    metric = "" if saved.value is None else f"{printable(saved.monitor, 100)} {number(saved.value)}"
    return [epoch, f"{saved.step:,}", metric, "best" if record.best else "", printable(record.damage, 200)]
