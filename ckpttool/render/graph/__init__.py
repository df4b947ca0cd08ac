"""Pictures of a model's graph, one module an output."""

from __future__ import annotations

from collections.abc import Callable

from ckpttool.inspection.graph import ModelGraph
from ckpttool.render import html
from ckpttool.render.graph import dot, json, mermaid, svg

GRAPH_OUTPUTS: dict[str, Callable[[ModelGraph], str]] = {
    "mermaid": mermaid.graph,
    "svg": svg.graph,
    "dot": dot.graph,
    "json": json.graph,
    "html": html.graph,
}

SUFFIXES = {
    ".svg": "svg", ".html": "html", ".mmd": "mermaid", ".mermaid": "mermaid", ".dot": "dot", ".gv": "dot",
    ".json": "json",
}  # fmt: skip
"""The output that the suffix of a file asks for."""

__all__ = ["GRAPH_OUTPUTS", "SUFFIXES"]
