"""The rules of style of a picture in SVG: light and dark, in a file of its own or on a page that may be either."""

from __future__ import annotations

from collections.abc import Iterator

from ckpttool.inspection.graph import GraphLayer, ModelGraph
from ckpttool.render.graph.colors import CHANGES, FAMILIES, UNCHANGED, Color
from ckpttool.render.graph.labels import changes

_STYLE = """
.ckpt-graph { font: 11px system-ui, -apple-system, "Segoe UI", "Helvetica Neue", Arial, sans-serif; }
.ckpt-graph .page { fill: #ffffff; }
.ckpt-graph .box { stroke-width: 1.2; }
.ckpt-graph .frame { stroke-width: 1.2; stroke-dasharray: 5 3; fill-opacity: .35; }
.ckpt-graph text { fill: #4b5563; }
.ckpt-graph .title { font-size: 12px; font-weight: 600; fill: #1c2128; }
.ckpt-graph .heading { font-size: 15px; font-weight: 600; fill: #1c2128; }
.ckpt-graph .line { fill: none; stroke: #8a94a3; stroke-width: 1.3; }
.ckpt-graph .head { fill: #8a94a3; }
.ckpt-graph .dashed { stroke-dasharray: 5 4; }
.ckpt-graph .end { text-anchor: end; }
"""

_DARK = """
.ckpt-graph .page { fill: #0f1318; }
.ckpt-graph text { fill: #a8b3c1; }
.ckpt-graph .title, .ckpt-graph .heading { fill: #eef2f7; }
.ckpt-graph .line { stroke: #77828f; }
.ckpt-graph .head { fill: #77828f; }
"""


def own_style(result: ModelGraph) -> str:
    """The rules for a file of its own: dark where the system is."""
    return f"{_light(result)}@media (prefers-color-scheme: dark) {{{_dark(result)}}}\n"


def page_style(result: ModelGraph) -> str:
    """The rules for a page: dark where its reader chose that, or the system is and no other choice was made."""
    light, dark = _light(result), _dark(result)
    chosen, system = (dark.replace(".ckpt-graph", f"{page} .ckpt-graph") for page in (".dark", ".ckpttool:not(.light)"))
    return f"{light}@media screen {{{chosen}}}\n@media screen and (prefers-color-scheme: dark) {{{system}}}\n"


def _light(result: ModelGraph) -> str:
    rules = (_rule(kind, color.fill, color.edge) for kind, (_, color) in kinds_of(result).items())
    return _STYLE + "".join(line for rule in rules for line in rule)


def _dark(result: ModelGraph) -> str:
    rules = (_rule(kind, color.dark_fill, color.dark_edge) for kind, (_, color) in kinds_of(result).items())
    return _DARK + "".join(line for rule in rules for line in rule)


def kind_of(result: ModelGraph, layer: GraphLayer) -> str:
    """The class of a layer's box: its family, or its change where two models were compared."""
    return (layer.change.replace(", ", "-") or "unchanged") if result.other else layer.family


def kinds_of(result: ModelGraph) -> dict[str, tuple[str, Color]]:
    """The classes of the boxes of a graph, each with the text that explains it and its colour."""
    if not result.other:
        return {layer.family: (layer.family, FAMILIES[layer.family]) for layer in result.layers}
    present = {layer.change for layer in result.layers} | {connection.change for connection in result.connections}
    shown = {change.replace(", ", "-"): (changes(change), CHANGES[change]) for change in CHANGES if change in present}
    return {**shown, "unchanged": ("unchanged", UNCHANGED)}


def _rule(kind: str, fill: str, edge: str) -> Iterator[str]:
    yield f".ckpt-graph .{kind} rect {{ fill: {fill}; stroke: {edge}; }}\n"
    yield f".ckpt-graph .arrow.{kind} .line {{ stroke: {edge}; stroke-width: 2; }}\n"
    yield f".ckpt-graph .arrow.{kind} .head {{ fill: {edge}; }}\n"
