"""Pages of descriptions: the facts of a checkpoint; an architecture or a spec with the weights that it expects."""

from __future__ import annotations

from collections.abc import Iterator

from ckpttool.escape import printable
from ckpttool.formats import FORMATS
from ckpttool.inspection.architectures import Expected, ExpectedLayer
from ckpttool.inspection.info import Info
from ckpttool.inspection.slot_sizes import params_of
from ckpttool.model.spec import SpecSlot
from ckpttool.render import expected_phrases, text
from ckpttool.render.costs import cost_facts, cost_figures, cost_lines, cost_ranks, cost_remark
from ckpttool.render.html.pages import Section, page
from ckpttool.render.html.trees import ORDER_BY_COST, ORDERS, Node, WeightView, nested
from ckpttool.render.style import producer, shape, size
from ckpttool.render.tables import output_cell

_SHOWN = 100


def info_page(result: Info) -> str:
    """The page of one description."""
    facts = [FORMATS[result.kind].title, producer(result.producer), size(result.size)]
    return page(printable(result.path.name, 200), ", ".join(filter(None, facts)), [info_section(result)])


def info_section(result: Info) -> Section:
    """The facts of a checkpoint."""
    remarks = [
        *result.notes,
        *(f"{refusal.place or 'file'}: {refusal.detail} [{refusal.kind}]" for refusal in result.refusals),
    ]
    context = {
        "figures": list(_figures(result)),
        "pairs": [(label, printable(fact)) for label, fact in text.facts(result) if fact],
        "remarks": [printable(line, 400) for line in remarks[:_SHOWN]],
    }
    return Section("facts", "Facts", "facts.html", context)


def _figures(result: Info) -> Iterator[tuple[str, str]]:
    params = sum(total.params for section, total in result.totals.items() if section.value in ("model", "other"))
    yield f"{params:,}", "parameters"
    if result.layers is not None:
        yield f"{result.layers:,}", "layers"
    yield size(result.size), "file"
    if result.dtypes:
        yield printable(next(iter(result.dtypes)), 40), "dtype" + (", mostly" if len(result.dtypes) > 1 else "")
    yield from cost_figures(result.cost)


def expected_page(result: Expected) -> str:
    """The page of an architecture or a spec."""
    lead = ", ".join(expected_phrases.head_facts(result))
    return page(printable(result.path.name, 200), lead, [expected_section(result)])


def expected_section(result: Expected) -> Section:
    """The layers of an architecture or a spec with the weights that they expect."""
    largest = max((params_of(layer.slots) or 0 for layer in result.layers), default=0)
    nodes = nested([(layer.layer, _layer(layer, largest)) for layer in result.layers])
    context = {
        "figures": list(cost_figures(result.cost)),
        "shares": [],
        "orders": (*ORDERS, *((ORDER_BY_COST,) if result.cost else ())),
        "nodes": nodes,
        "lines": [" ".join(line.split()) for line in (*expected_phrases.sums(result), *cost_lines(result.cost))],
        "remarks": [],
        "hint": "",
    }
    return Section("layers", "Layers and the weights that they expect", "listing.html", context)


def _layer(layer: ExpectedLayer, largest: int) -> Node:
    params = params_of(layer.slots)
    facts = ["frozen" if layer.frozen else "", "only its own class knows its weights" if layer.opaque else ""]
    return Node(
        name=printable((layer.layer or "(model)").rpartition("/")[2], 200) or "(no name)",
        class_name=printable(layer.class_name or "", 100),
        remark=" · ".join(filter(None, (output_cell(layer.graph), *facts, cost_remark(layer.cost)))),
        figure="not known" if params is None else f"{params:,}" if layer.slots else "",
        share=round(100 * (params or 0) / largest, 1) if largest else 0.0,
        weights=list(map(_slot, layer.slots)),
        ranks=[("params", params or 0), *cost_ranks(layer.cost)],
    )


def _slot(slot: SpecSlot) -> WeightView:
    dims = "shape not known" if slot.shape is None else shape(slot.shape)
    params = params_of([slot])
    facts = [f"{dims} {printable(slot.dtype, 40)}", "" if params is None else f"{params:,}"]
    figures = [] if slot.trainable else [("trainable", "no")]
    return WeightView(printable(slot.name, 200) or "(no name)", " · ".join(filter(None, facts)), figures)


def expected_info_page(result: Expected) -> str:
    """The page with the facts of an architecture or a spec."""
    facts = (*expected_phrases.info_facts(result), *cost_facts(result.cost))
    pairs = [(label, printable(fact)) for label, fact in facts if fact]
    figures = list(cost_figures(result.cost))
    section = Section("facts", "Facts", "facts.html", {"figures": figures, "pairs": pairs, "remarks": []})
    return page(printable(result.path.name, 200), ", ".join(expected_phrases.head_facts(result)), [section])
