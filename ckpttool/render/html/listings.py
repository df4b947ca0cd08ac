"""Pages of listings: the layers of one checkpoint as a tree, several checkpoints as a table."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from ckpttool.escape import printable
from ckpttool.formats import FORMATS
from ckpttool.inspection.directories import Summary
from ckpttool.inspection.listing import LayerRow, Listing
from ckpttool.render.costs import COST_HEADERS, cost_figures
from ckpttool.render.html.pages import Block, Section, page
from ckpttool.render.html.trees import ORDER_BY_COST, ORDER_BY_ZEROS, ORDERS, layer_tree, percent
from ckpttool.render.style import Style, count_of, producer, size
from ckpttool.render.tables import OPTIONAL_FROM, SUMMARY_HEADERS, cut_to_depth, summary_cells, totals

_CLASSES = 6  # that get a colour of their own
_SHOWN = 100  # refusals and notes
RIGHT = frozenset({"weights", "params", "size", "epoch", "step", *COST_HEADERS})


def listing_page(result: Listing, style: Style) -> str:
    """The page of one checkpoint."""
    return page(printable(result.path.name, 200), lead(result), [listing_section(result, style)])


def lead(result: Listing) -> str:
    """A line on a checkpoint: format, producer, size."""
    return ", ".join(filter(None, (FORMATS[result.kind].title, producer(result.producer), size(result.size))))


def listing_section(result: Listing, style: Style) -> Section:
    """The layers of a checkpoint with their weights."""
    layers = cut_to_depth(result.by_layer(), style.depth)
    measured = any(row.stats is not None for row in result.rows)
    context = {
        "figures": list(_figures(result, layers)),
        "shares": shares(layers),
        "orders": (*ORDERS, *((ORDER_BY_ZEROS,) if measured else ()), *((ORDER_BY_COST,) if result.cost else ())),
        "nodes": layer_tree(layers),
        "lines": [" ".join(line.split()) for line in totals(result)],
        "remarks": remarks(result),
        "hint": "" if measured else "Histograms, sparsity and statistics of every weight: --stats.",
    }
    return Section("layers", "Layers", "listing.html", context)


def remarks(result: Listing) -> list[str]:
    """The parts that were not read, and notes, at most a hundred of both."""
    lines = [
        *result.notes,
        *(f"{refusal.place or 'file'}: {refusal.detail} [{refusal.kind}]" for refusal in result.refusals),
    ]
    rest = [f"and {len(lines) - _SHOWN:,} more"] if len(lines) > _SHOWN else []
    return [*(printable(line, 400) for line in lines[:_SHOWN]), *rest]


def _figures(result: Listing, layers: Sequence[LayerRow]) -> Iterator[tuple[str, str]]:
    content = result.content
    yield f"{content.params:,}", "parameters"
    yield f"{content.weights:,}", "weights"
    yield f"{len(layers):,}", "layers listed"
    yield size(result.size), "file"
    stats = [row.stats for row in result.rows if row.stats is not None]
    if stats:
        count = max(1, sum(weight.count for weight in stats))
        yield percent(sum(weight.zeros for weight in stats), count), "exact zeros"
        broken = sum(weight.nan + weight.inf for weight in stats)
        if broken:
            yield f"{broken:,}", "NaN or Inf"
    yield from cost_figures(result.cost)


def shares(layers: Sequence[LayerRow]) -> list[dict[str, object]]:
    """The share of the parameters of each class of layers, the largest first; empty where no class is known."""
    params = dict[str, int]()
    for layer in layers:
        if layer.total.params:
            params[layer.class_name or ""] = params.get(layer.class_name or "", 0) + layer.total.params
    total = sum(params.values())
    if not total or not any(params):
        return []
    ranked = sorted(params.items(), key=lambda item: -item[1])
    shown = [(printable(name, 60) or "without a class", count) for name, count in ranked[:_CLASSES]]
    rest = sum(count for _, count in ranked[_CLASSES:])
    parts = [*shown, *([("others", rest)] if rest else [])]
    starts = [sum(count for _, count in parts[:at]) for at in range(len(parts))]
    return [
        {
            "name": name,
            "percent": percent(count, total),
            "start": round(1000 * start / total, 1),
            "width": round(1000 * count / total, 1),
            "kind": f"k{at}",
        }
        for at, ((name, count), start) in enumerate(zip(parts, starts, strict=True))
    ]


def summaries_page(results: Sequence[Summary], style: Style) -> str:
    """The page of several checkpoints."""
    return page("Checkpoints", count_of(len(results), "checkpoint"), [summaries_section(results)])


def summaries_section(results: Sequence[Summary], lines: Sequence[str] = ()) -> Section:
    """Several checkpoints as a table, and lines below it."""
    cells = [summary_cells(result) for result in results]
    columns = [n for n in range(len(SUMMARY_HEADERS)) if n < OPTIONAL_FROM or any(line[n] for line in cells)]
    headers = [SUMMARY_HEADERS[n] for n in columns]
    block = Block("All", headers, [[line[n] for n in columns] for line in cells], right=RIGHT & set(headers))
    context = {"blocks": [block.without_empty_columns()], "lines": list(lines)}
    return Section("checkpoints", "Checkpoints", "table.html", context)
