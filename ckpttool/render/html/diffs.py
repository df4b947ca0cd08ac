"""Pages of diffs: the most changed layers first, with both histograms over each other; configs side by side."""

from __future__ import annotations

import math
from collections.abc import Iterator

from ckpttool.comparison import Comparison, Diff, LayerChange, Pair
from ckpttool.escape import printable
from ckpttool.render import diffs
from ckpttool.render.html.charts import overlay
from ckpttool.render.html.pages import Block, Section, page
from ckpttool.render.html.trees import Node, WeightView
from ckpttool.render.style import Style, count_of, number, shape, short_paths

ORDERS = (("change", "most changed first"), ("name", "by name"), ("params", "by parameters"))
SCALE = ("unchanged", "below 0.01%", "below 0.1%", "below 1%", "below 10%", "below 100%", "100% or more")
"""The steps of relative change, each of a colour."""
_LONGEST = 400  # characters of a setting
_DECADES = 8  # of relative change that a bar shows
_OPEN = 3  # layers that are shown unfolded


def diff_page(result: Diff, style: Style) -> str:
    """The page of a diff."""
    title = " → ".join(printable(name, 100) for name in short_paths(result.a.path, result.b.path))
    return page(title, "What changed from a to b", list(diff_sections(result, style)))


def diff_sections(result: Diff, style: Style) -> Iterator[Section]:
    """The sections of a diff: the verdict; the values; structure, config, optimizer and assets."""
    yield _verdict_section(result)
    if result.pairs:
        yield _values_section(result, style)
    blocks = [_block(block, result) for block in diffs.blocks(result, style) if block.title != "values"]
    if blocks:
        yield Section("structure", "Structure, config and state", "table.html", {"blocks": blocks, "lines": []})


def _verdict_section(result: Diff) -> Section:
    word, _, rest = diffs.headline(result).partition(": ")
    total = result.total
    figures = [(f"{diffs.compared(result):,}", "weights compared"), (f"{len(result.changed):,}", "changed")]
    figures += [(f"{len(result.reshaped):,}", "of another shape")] if result.reshaped else []
    if total.changed:
        figures += [
            (number(total.relative_l2), "relative change of what changed"),
            (diffs.share(total), "of the values changed"),
        ]
    context = {
        "tone": "warn" if result.differences else "calm" if result.unreadable else "good",
        "word": word,
        "text": rest,
        "figures": figures,
        "sides": [line.partition(" ")[2] for line in diffs.sides(result)],
        "lines": diffs.remarks(result),
    }
    return Section("changes", "What changed", "diff.html", context)


def _values_section(result: Diff, style: Style) -> Section:
    layers = result.by_layer()
    shown = layers if style.top is None else layers[: style.top]
    context = {
        "orders": ORDERS,
        "nodes": [_node(layer, at < _OPEN) for at, layer in enumerate(shown)],
        "scale": [(f"c{level}", label) for level, label in enumerate(SCALE)],
        "rest": f"and {len(layers) - len(shown):,} layers more that changed less" if len(shown) < len(layers) else "",
    }
    return Section("values", "Values by layer", "values.html", context)


def _node(layer: LayerChange, is_open: bool) -> Node:
    comparison = layer.comparison
    name = layer.layer if layer.layer == layer.new_layer else f"{layer.layer} → {layer.new_layer}"
    changed = [pair for pair in layer.pairs if pair.changed or pair.comparison is None]
    return Node(
        name=printable(name, 400) or "(model)",
        remark=f"{count_of(len(layer.pairs), 'weight')}" + (f", {len(changed):,} changed" if changed else ""),
        figure=number(comparison.relative_l2) if comparison.changed else "same",
        tone=f"c{level(comparison)}",
        share=_bar(comparison),
        open=is_open and bool(changed),
        weights=list(map(_weight, changed)),
        ranks=[("change", _rank(comparison)), ("params", comparison.count)],
    )


def level(comparison: Comparison) -> int:
    """The step of `SCALE` of a relative change."""
    if not comparison.changed:
        return 0
    return 1 + sum(comparison.relative_l2 >= limit for limit in (1e-4, 1e-3, 1e-2, 1e-1, 1))


def _rank(comparison: Comparison) -> float:
    return min(comparison.relative_l2, 1e300)


def _bar(comparison: Comparison) -> float:
    """The length of a bar in percent: full from a relative change of 1 on, shorter for every power of ten below."""
    relative = comparison.relative_l2
    if not relative:
        return 0.0
    return round(100 * min(1.0, max(0.02, 1 + math.log10(max(relative, 1e-300)) / _DECADES)), 1)


def _weight(pair: Pair) -> WeightView:
    label = pair.a.label if pair.a.label == pair.b.label else f"{pair.a.label} → {pair.b.label}"
    dims = [f"{shape(unit.shape)} {printable(unit.dtype, 40)}" for unit in (pair.a, pair.b)]
    view = WeightView(printable(label, 400) or "(no name)", " → ".join(dict.fromkeys(dims)))
    if pair.comparison is not None:
        cells = diffs.comparison_cells(pair.comparison)
        titled = zip(diffs.VALUE_HEADERS[1:], cells, strict=True)
        view.figures = [(title, cell) for title, cell in titled if title and cell]
    if pair.problem:
        view.alarms.append(printable(pair.problem, 200))
    if pair.histograms is not None:
        view.chart = overlay(*pair.histograms)
    return view


def _block(block: diffs.Block, result: Diff) -> Block:
    """A table of the diff; that of configs has its values at greater length."""
    rows = block.rows
    if block.title == "config":
        rows = [diffs.setting_cells(change, _LONGEST) for change in result.config]
    return Block(block.title.capitalize(), block.headers, rows, block.rest, marks=(("in a", "was"), ("in b", "is")))
