"""The graph of a model as a section of a page: the picture that `ckpttool graph` draws, within the page."""

from __future__ import annotations

import re

from ckpttool.inspection.graph import ModelGraph
from ckpttool.render.graph import svg
from ckpttool.render.html.pages import Section

_STYLE = re.compile(r"<style>(.*?)</style>", re.DOTALL)  # names of layers are escaped, so the first is the picture's


def graph_section(result: ModelGraph) -> Section:
    """The picture of a graph. Raises UnsupportedError for one that is too large."""
    from markupsafe import Markup

    picture = svg.graph(result)
    style = _STYLE.search(picture)
    context = {"picture": Markup(picture)}
    return Section("graph", "Graph", "graph.html", context, (style[1],) if style else ())
