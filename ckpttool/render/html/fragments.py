"""Results in a notebook: the same sections as on a page, shorter, with the style and without the script."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Iterable
from typing import Any

from ckpttool.checkpoint import Weight
from ckpttool.errors import CheckpointError
from ckpttool.escape import printable
from ckpttool.inspection.listing import Listing, Row, list_checkpoint
from ckpttool.model.spec import Spec
from ckpttool.render.html.pages import Section, fragment, has_jinja
from ckpttool.render.style import Style

_MOST_LAYERS = 200  # a notebook keeps every output in its file
_MOST_DRAWN = 1_000  # layers of a graph; of a larger one the models inside are folded
_MOST_BYTES = 64 << 20  # of a weight whose values are read to be shown
_PLACES = re.compile(r'(\b(?:id|for|aria-labelledby)="|href="#)')


def fragment_of(value: object) -> str | None:
    """The HTML of a result; None where Jinja2 is not installed, or where the result cannot be shown."""
    if not has_jinja():
        return None
    sections = next((show for kind in type(value).__mro__ if (show := _SECTIONS.get(kind.__name__))), None)
    if sections is None:
        return None
    try:
        return _with_own_places(fragment(list(sections(value))))
    except CheckpointError:
        return None


def _with_own_places(html: str) -> str:
    """The same HTML with ids of its own, since a notebook has many outputs on one page."""
    prefix = hashlib.sha256(html.encode("utf-8", "backslashreplace")).hexdigest()[:8]
    return _PLACES.sub(rf"\g<1>c{prefix}-", html)


def _listing(value: Listing) -> Iterable[Section]:
    from ckpttool.render.html.listings import listing_section

    section = listing_section(value, Style())
    nodes = section.context["nodes"]
    if len(nodes) > _MOST_LAYERS:
        more = f"and {len(nodes) - _MOST_LAYERS:,} more layers; `ckpttool report` shows all of them"
        section.context.update(nodes=nodes[:_MOST_LAYERS], hint=more)
    return [section]


def _weight(value: Weight) -> Iterable[Section]:
    from ckpttool.render.html.trees import weight_view

    view = weight_view(_measured(value), "w0")
    return [Section("weight", "Weight", "weight.html", {"rows": [view]})]


def _measured(weight: Weight) -> Row:
    """The row of a weight; with statistics and charts where it is small enough and its file is open."""
    from ckpttool.arrays.statistics import measure

    row = Row(weight.layer or "", weight.path, weight=weight)
    if weight.nbytes > _MOST_BYTES:
        return row
    try:
        measured = measure(weight, stats=True, picture=True)
    except CheckpointError:
        return row
    return Row(weight.layer or "", weight.path, weight=weight, stats=measured.stats, picture=measured.picture)


def _info(value: Any) -> Iterable[Section]:
    from ckpttool.render.html.descriptions import info_section

    return [info_section(value)]


def _directory(value: Any) -> Iterable[Section]:
    from ckpttool.render.html.listings import summaries_section

    shown, more = value.summaries[:_MOST_LAYERS], len(value.summaries) - _MOST_LAYERS
    rest = [f"and {more:,} more checkpoints; `ckpttool ls` shows all of them"] if more > 0 else []
    return [summaries_section(shown, [*rest, *(printable(problem, 400) for problem in value.problems[:_MOST_LAYERS])])]


def _cost(value: Any) -> Iterable[Section]:
    from ckpttool.render.html.costs import cost_section

    return [cost_section(value, _MOST_LAYERS)]


def _graph(value: Any) -> Iterable[Section]:
    from ckpttool.inspection.graph_selection import folded
    from ckpttool.render.html.graphs import graph_section

    return [graph_section(value if len(value.layers) <= _MOST_DRAWN else folded(value, 1))]


def _expected(value: Any) -> Iterable[Section]:
    from ckpttool.render.html.descriptions import expected_section

    return [expected_section(value)]


def _spec(value: Spec) -> Iterable[Section]:
    from ckpttool.inspection.architectures import expected_by_spec

    return _expected(expected_by_spec(value))


def _diff(value: Any) -> Iterable[Section]:
    from ckpttool.render.html.diffs import diff_sections

    return diff_sections(value, Style(top=_MOST_LAYERS))


def _verdict(value: Any) -> Iterable[Section]:
    from ckpttool.render.html.verdicts import verdict_section

    return [verdict_section(value)]


def _check(value: Any) -> Iterable[Section]:
    from ckpttool.render.checks.html import check_section

    return [check_section(value)]


def _conversion(value: Any) -> Iterable[Section]:
    from ckpttool.render.html.conversions import conversion_section

    return [conversion_section(value)]


def _report(value: Any) -> Iterable[Section]:
    from ckpttool.render.html.reports import report_sections

    return report_sections(value)


_SECTIONS: dict[str, Callable[[Any], Iterable[Section]]] = {
    "Checkpoint": lambda value: _listing(list_checkpoint(value)),
    "Weight": _weight,
    "Listing": _listing,
    "DirectoryListing": _directory,
    "Info": _info,
    "Expected": _expected,
    "Spec": _spec,
    "Diff": _diff,
    "VerifyResult": _verdict,
    "CheckReport": _check,
    "Conversion": _conversion,
    "ModelGraph": _graph,
    "Cost": _cost,
    "Report": _report,
}
"""The sections of each kind of result, by the name of its class: the classes themselves are slow to import."""
