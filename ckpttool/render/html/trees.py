"""The tree of layers as the templates show it: names nested by `/`, bars of parameters, weights with their charts."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from ckpttool.arrays.magnitudes import output_count
from ckpttool.arrays.statistics import Stats
from ckpttool.escape import printable
from ckpttool.inspection.listing import MAX_DEPTH, LayerRow, Row
from ckpttool.render.costs import cost_ranks, cost_remark
from ckpttool.render.html.charts import Chart, Strip, histogram, strip
from ckpttool.render.style import number, shape, size
from ckpttool.render.tables import output_cell

_FEW = 40  # weights that are shown without unfolding
ORDERS = (("stored", "as stored"), ("name", "by name"), ("params", "by parameters"))
ORDER_BY_ZEROS, ORDER_BY_COST = ("zeros", "by share of zeros"), ("flops", "by operations")


@dataclass(slots=True)
class WeightView:
    """One weight: its name, its facts in a line, its figures, what is wrong with it, and its charts."""

    name: str
    facts: str
    figures: list[tuple[str, str]] = field(default_factory=list)
    alarms: list[str] = field(default_factory=list)
    chart: Chart | None = None
    strip: Strip | None = None


@dataclass(slots=True)
class Node:
    """One name in the tree: the layer whose path ends here, if one does, and the names below.

    `share` is its number of parameters in percent of that of the largest layer, `ranks` are the numbers by which a
    reader may order the tree, `mini` is the chart of its largest weight.
    """

    name: str
    class_name: str = ""
    remark: str = ""
    figure: str = ""
    tone: str = ""
    share: float = 0.0
    open: bool = False
    mini: Chart | None = None
    weights: list[WeightView] = field(default_factory=list)
    below: list[Node] = field(default_factory=list)
    ranks: list[tuple[str, float]] = field(default_factory=list)


def nested(paths: Iterable[tuple[str, Node]]) -> list[Node]:
    """Nodes by their paths as a tree; a name that is no layer itself becomes a node without weights."""
    root, places = Node(""), dict[tuple[int, str], Node]()
    for path, node in paths:
        above = root
        for name in (path or "(model)").split("/", MAX_DEPTH)[:-1]:
            key = id(above), name
            if key not in places:
                places[key] = Node(printable(name, 200))
                above.below.append(places[key])
            above = places[key]
        last = (path or "(model)").split("/", MAX_DEPTH)[-1]
        known = places.get((id(above), last))
        if known is None:
            places[id(above), last] = node
            above.below.append(node)
        else:  # its inner layers came first
            for part in ("class_name", "remark", "figure", "tone", "share", "open", "mini", "weights", "ranks"):
                setattr(known, part, getattr(node, part))
    return root.below


def layer_tree(layers: Sequence[LayerRow]) -> list[Node]:
    """The layers of a listing as a tree, each with a bar of its parameters."""
    largest = max((layer.total.params for layer in layers), default=0)
    is_open = sum(len(layer.rows) for layer in layers) <= _FEW
    keys = (f"w{number}" for number in range(sum(len(layer.rows) for layer in layers)))
    nodes = [(layer.layer, _layer(layer, largest, is_open, lambda: next(keys))) for layer in layers]
    tree = nested(nodes)
    _sum_up(tree, is_open)
    return tree


def _layer(layer: LayerRow, largest: int, is_open: bool, key: Callable[[], str]) -> Node:
    params = layer.total.params
    weights = [weight_view(row, key()) for row in layer.rows]
    pairs = [(row.weight.size, view.chart) for row, view in zip(layer.rows, weights, strict=True) if view.chart]
    stats = [row.stats for row in layer.rows if row.stats is not None]
    facts = ["~ inferred name" if layer.inferred and layer.layer else "", "frozen" if layer.frozen else ""]
    return Node(
        name=printable((layer.layer or "(model)").split("/", MAX_DEPTH)[-1], 200) or "(no name)",
        class_name=printable(layer.class_name or "", 100),
        remark=" · ".join(filter(None, (output_cell(layer.graph), *facts, cost_remark(layer.cost)))),
        figure=f"{params:,}" if layer.rows else "",
        share=_percent(params, largest),
        open=is_open,
        mini=max(pairs, key=lambda pair: pair[0])[1] if pairs else None,
        weights=weights,
        ranks=[("params", params), *([("zeros", _zeros(stats))] if stats else []), *cost_ranks(layer.cost)],
    )


def _sum_up(nodes: Iterable[Node], is_open: bool) -> None:
    """Give nodes that are no layers, but hold some, the sums over these."""
    for node in nodes:
        if not node.below:
            continue
        _sum_up(node.below, is_open)
        params, flops = (sum(dict(child.ranks).get(key, 0) for child in node.below) for key in ("params", "flops"))
        if not node.weights:
            node.figure, node.open = f"{params:,.0f}", is_open
            node.ranks = [("params", params), *([("flops", flops)] if flops else [])]
            node.remark = node.remark or f"{len(node.below):,} layers"


def _percent(part: float, whole: float) -> float:
    return round(100 * part / whole, 1) if whole else 0.0


def _zeros(stats: Sequence[Stats]) -> float:
    return round(sum(weight.zeros for weight in stats) / max(1, sum(weight.count for weight in stats)), 4)


def weight_view(row: Row, key: str) -> WeightView:
    """One weight of a listing."""
    weight, picture = row.weight, row.picture
    view = WeightView(
        name=printable(row.label, 200) or "(no name)",
        facts=f"{shape(weight.shape)} {printable(weight.dtype, 100)} · {weight.size:,} · {size(weight.nbytes)}",
    )
    if row.stats is not None:
        view.figures, view.alarms = list(_figures(row.stats)), list(_alarms(row.stats))
    if row.sha256 is not None:
        view.figures.append(("sha256", row.sha256))
    if row.problem:
        view.alarms.append(printable(row.problem, 200))
    if picture is not None and row.stats is not None and row.stats.minimum != row.stats.maximum:
        view.chart = histogram(picture, row.stats, key)
        view.strip = strip(picture.magnitudes, output_count(weight.shape)) if picture.magnitudes else None
    return view


def _figures(stats: Stats) -> Iterator[tuple[str, str]]:
    if stats.finite:
        yield "mean", number(stats.mean)
        yield "std", number(stats.std)
        yield "min", number(stats.minimum)
        yield "max", number(stats.maximum)
    if stats.zeros:
        yield "zeros", percent(stats.zeros, stats.count)


def _alarms(stats: Stats) -> Iterator[str]:
    yield from (f"{count:,} {name}" for count, name in ((stats.nan, "NaN"), (stats.inf, "Inf")) if count)


def percent(part: int, whole: int) -> str:
    """A share in percent; never 0 % of some, never 100 % of not all."""
    if part == whole:
        return "100%"
    share = 100 * part / whole
    return "<0.1%" if part and share < 0.1 else f"{min(share, 99.9):.1f}%"
