"""The cost of a model as columns of a listing, as lines of facts and as JSON."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from ckpttool.escape import and_more, printable
from ckpttool.render.style import count_of, shape, size

if TYPE_CHECKING:
    from ckpttool.inspection.cost import Cost, LayerCost

COST_HEADERS = ["MACs", "FLOPs", "outputs"]
"""The column titles of costs: multiply-adds, floating-point operations, memory of outputs."""

COST_KEYS = ("calls", "macs", "flops", "outputs_nbytes")
_NAMED = 10


def cost_cells(cost: LayerCost | None) -> list[str]:
    """The cells of a layer's cost; a question mark for what is not known."""
    if cost is None:
        return [""] * len(COST_HEADERS)
    numbers = ["?" if count is None else f"{count:,}" for count in (cost.macs, cost.flops)]
    return [*numbers, "?" if cost.outputs_nbytes is None else size(cost.outputs_nbytes)]


def summary_cost_cells(cost: Cost | None) -> list[str]:
    """The sums of one model among several; empty where it has no cost, or none was asked for."""
    if cost is None:
        return ["", ""]
    least = "at least " if cost.unknown else ""
    return [f"{least}{cost.macs:,}", f"{least}{cost.flops:,}"]


def cost_facts(cost: Cost | None) -> Iterator[tuple[str, str]]:
    """The cost of a model as facts with labels."""
    if cost is None:
        return
    for name, dims in cost.inputs:
        yield "cost for", f"{name} {shape(dims) if dims is not None else 'of an unknown shape: --input gives it'}"
    least = "at least " if cost.unknown else ""
    yield "MACs", f"{least}{cost.macs:,} ({short(cost.macs)})"
    yield "FLOPs", f"{least}{cost.flops:,} ({short(cost.flops)})"
    least = "at least " if cost.unsized else ""
    yield "outputs take", f"{least}{size(cost.outputs_nbytes)}{_of_one(cost, cost.outputs_nbytes)}"
    peak = cost.peak
    when = f", while {printable(peak.layer, 100)} runs" if peak.layer else ""
    yield "at once", f"{least}{size(peak.nbytes)}{_of_one(cost, peak.nbytes)}{when}"
    if cost.parameters is not None:
        yield "weights take", _by_dtype(cost.parameters)
    else:
        yield "weights take", f"not known: {printable(cost.problem, 300)}"
    yield "stored", _stored(cost)
    for reason in dict.fromkeys(layer.reason for layer in cost.unknown):
        layers = tuple(layer for layer in cost.unknown if layer.reason == reason)
        yield "not counted", f"{_named(layers)}: {printable(reason, 300)}"


def _by_dtype(sizes: Mapping[str, int]) -> str:
    """Sizes in bytes with their sum: `1 KiB: float32 1 KiB`."""
    shown = ", ".join(f"{printable(dtype, 40)} {size(nbytes)}" for dtype, nbytes in sizes.items())
    return f"{size(sum(sizes.values()))}: {shown}" if shown else size(0)


def _stored(cost: Cost) -> str:
    """The weights as the file stores them; empty where that is what they take in memory."""
    stored = cost.stored
    if stored is None or (stored.by_dtype == cost.parameters and stored.in_file == stored.nbytes):
        return ""
    if stored.in_file is None:
        why = "they lie compressed in an archive, or cannot be read"
        return f"{_by_dtype(stored.by_dtype)}; what they take of the file is not known: {why}"
    packed = f"; they take {size(stored.in_file)} of the file" if stored.in_file != stored.nbytes else ""
    return f"{_by_dtype(stored.by_dtype)}{packed}"


def cost_figures(cost: Cost | None) -> Iterator[tuple[str, str]]:
    """The sums of a model's cost with their labels, short."""
    if cost is not None:
        least = ", at least" if cost.unknown else ""
        yield short(cost.macs), f"multiply-adds{least}"
        yield short(cost.flops), f"operations{least}"
        yield size(cost.peak.nbytes), "of outputs at once" + (", at least" if cost.unsized else "")


def cost_remark(cost: LayerCost | None) -> str:
    """The cost of a layer in a few words; empty where it takes no operations, or was not asked for."""
    if cost is None:
        return ""
    outputs = "" if cost.outputs_nbytes is None else f"{size(cost.outputs_nbytes)} out"
    work = f"{short(cost.flops)} FLOPs" if cost.flops else ""
    if cost.flops is None:
        work = f"not counted: {printable(cost.reason, 300)}"
    macs = f"{short(cost.macs)} MACs" if cost.macs else ""
    return " · ".join(filter(None, (macs, work, outputs)))


def cost_ranks(cost: LayerCost | None) -> list[tuple[str, float]]:
    """The numbers by which layers are ordered by cost; none where it was not asked for."""
    return [] if cost is None else [("flops", cost.flops or 0)]


def cost_lines(cost: Cost | None) -> list[str]:
    """The cost of a model in lines below a listing."""
    facts = [(label, text) for label, text in cost_facts(cost) if text]
    width = max((len(label) for label, _ in facts), default=0)
    return [f"{label:<{width}}  {text}" for label, text in facts]


def short(count: int) -> str:
    """A large number in three digits: `4.09 G`."""
    value, units = float(count), ["", "k", "M", "G", "T", "P"]
    while value >= 999.5 and len(units) > 1:
        value, units = value / 1000, units[1:]
    return f"{value:.3g} {units[0]}".rstrip()


def _of_one(cost: Cost, nbytes: int) -> str:
    """The memory of one example of a batch that takes so many bytes."""
    batches = {dims[0] for _, dims in cost.inputs if dims}
    batch = batches.pop() if len(batches) == 1 else None
    return f", {size(nbytes // batch)} for each of {batch:,}" if batch and batch > 1 else ""


def _named(layers: tuple[LayerCost, ...]) -> str:
    names = [f"{printable(layer.layer, 100)} ({printable(layer.class_name, 60)})" for layer in layers[:_NAMED]]
    return f"{count_of(len(layers), 'layer')}: {', '.join(names)}{and_more(len(layers), _NAMED)}"


def layer_cost_json(cost: LayerCost | None) -> dict[str, Any]:
    """The cost of a layer as an entry of its object; no entry where it was not asked for."""
    return {} if cost is None else {"cost": {key: getattr(cost, key) for key in COST_KEYS}}


def cost_json(cost: Cost | None) -> dict[str, Any]:
    """The cost of a model as an entry of its object; no entry where it was not asked for."""
    if cost is None:
        return {}
    document = {
        "inputs": [{"layer": name, "shape": dims and list(dims)} for name, dims in cost.inputs],
        "macs": cost.macs,
        "flops": cost.flops,
        "outputs_nbytes": cost.outputs_nbytes,
        "peak_nbytes": cost.peak.nbytes,
        "peak_layer": cost.peak.layer,
        "parameters_nbytes": cost.parameters and dict(cost.parameters),
        "parameters_problem": cost.problem or None,
        "stored_nbytes": cost.stored and dict(cost.stored.by_dtype),
        "in_file_nbytes": cost.stored and cost.stored.in_file,
        "not_counted": [layer.layer for layer in cost.unknown],
        "reasons": {layer.layer: layer.reason for layer in cost.unknown},
        "not_sized": [layer.layer for layer in cost.unsized],
    }
    return {"cost": document}
