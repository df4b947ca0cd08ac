"""The cost of a model for a notebook: its sums, and what each layer takes as a table."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ckpttool.escape import printable
from ckpttool.render.costs import COST_HEADERS, cost_cells, cost_facts, cost_figures
from ckpttool.render.html.pages import Block, Section

if TYPE_CHECKING:
    from ckpttool.inspection.cost import Cost


def cost_section(result: Cost, most: int) -> Section:
    """The sums of a cost, and so many layers at most."""
    rows = [
        [printable(layer.layer, 300) or "(no name)", printable(layer.class_name, 100), *cost_cells(layer)]
        for layer in result.layers[:most]
    ]
    rest = f"and {len(result.layers) - most:,} more layers" if len(result.layers) > most else ""
    context = {
        "figures": list(cost_figures(result)),
        "pairs": [(label, printable(fact)) for label, fact in cost_facts(result) if fact],
        "block": Block("Layers", ["layer", "class", *COST_HEADERS], rows, rest, frozenset(COST_HEADERS)),
    }
    return Section("cost", "Cost", "cost.html", context)
