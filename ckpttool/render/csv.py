"""CSV for spreadsheets: one row a weight, layer or checkpoint, numbers bare."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from ckpttool.escape import printable
from ckpttool.render.costs import COST_KEYS
from ckpttool.render.style import Style, date
from ckpttool.render.tables import cut_to_depth

if TYPE_CHECKING:
    from ckpttool.inspection.directories import Summary
    from ckpttool.inspection.listing import LayerRow, Listing

_WEIGHTS = ("path", "layer", "class", "weight", "shape", "dtype", "params", "nbytes", "section")
_STATS = ("min", "max", "mean", "std", "zeros", "nan", "inf")


def listing(result: Listing, style: Style) -> str:
    """The weights, or the layers, of a checkpoint."""
    if style.layers:
        layers = cut_to_depth(result.by_layer(), style.depth)
        more = COST_KEYS if result.cost else ()
        lines = [(*_layer_cells(layer), *(getattr(layer.cost, key, None) for key in more)) for layer in layers]
        return rows(("layer", "class", "weights", "params", "nbytes", *more), lines)
    with_stats = any(row.stats for row in result.rows)
    with_sha256 = any(row.sha256 for row in result.rows)
    titles = (*_WEIGHTS, *(_STATS if with_stats else ()), *(("sha256",) if with_sha256 else ()))
    return rows(titles, _weight_rows(result, with_stats, with_sha256))


def _layer_cells(layer: LayerRow) -> tuple[object, ...]:
    total = layer.total
    return layer.layer, layer.class_name, total.weights, total.params, total.nbytes


def _weight_rows(result: Listing, with_stats: bool, with_sha256: bool) -> Iterable[tuple[object, ...]]:
    for row in result.rows:
        weight, stats = row.weight, row.stats
        shape = "x".join(map(str, weight.shape))
        cells: tuple[object, ...] = (weight.path, row.layer, row.class_name, row.label, shape, weight.dtype)
        cells += (weight.size, weight.nbytes, weight.section.value)
        if with_stats and stats is not None:
            cells += (stats.minimum, stats.maximum, stats.mean, stats.std, stats.zeros, stats.nan, stats.inf)
        elif with_stats:
            cells += ("",) * len(_STATS)
        yield (*cells, row.sha256) if with_sha256 else cells


def summaries(results: Sequence[Summary], style: Style) -> str:
    """Several checkpoints, one row each."""
    titles = ("checkpoint", "kind", "keras_version", "weights", "params", "size", "error")
    more = ("epoch", "batch", "step", "monitor", "value", "best", "damage", "saved", "newest")
    return rows((*titles, *more), [(*_summary_row(result), *_saved_row(result)) for result in results])


def _summary_row(result: Summary) -> tuple[object, ...]:
    listing = result.listing
    if listing is None:
        return (str(result.path), "", "", "", "", "", result.error.split("\n")[0])
    total = listing.content
    return (
        str(result.path),
        listing.kind,
        listing.producer.keras_version,
        total.weights,
        total.params,
        listing.size,
        "",
    )


def _saved_row(result: Summary) -> tuple[object, ...]:
    record, managed = result.record, result.managed
    if record is not None:
        saved = record.saved
        facts = (saved.epoch, saved.batch, saved.step, saved.monitor, saved.value, record.best, record.damage)
        return (*facts, saved.date, "")
    return ("", "", managed.step, "", "", "", "", date(managed.time), managed.newest) if managed else ("",) * 9


def rows(titles: Sequence[str], lines: Iterable[Sequence[object]]) -> str:
    """Rows of cells below their titles, as CSV."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(titles)
    writer.writerows([_cell(value) for value in row] for row in lines)
    return out.getvalue().rstrip("\n")


def _cell(value: object) -> object:
    """A cell; text that a spreadsheet would take for a formula gets a quote in front."""
    if not isinstance(value, str):
        return value
    safe = printable(value)
    return f"'{safe}" if safe[:1] in ("=", "+", "-", "@") else safe
