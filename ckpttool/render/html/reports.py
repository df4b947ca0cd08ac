"""The page of a report: all that the commands say about one checkpoint, the most important first."""

from __future__ import annotations

from collections.abc import Iterator

from ckpttool.escape import printable
from ckpttool.render.checks.html import check_section
from ckpttool.render.html.descriptions import info_section
from ckpttool.render.html.listings import lead, listing_section
from ckpttool.render.html.pages import Section, page
from ckpttool.render.html.verdicts import verdict_section
from ckpttool.render.style import Style
from ckpttool.reports import Report


def report_page(result: Report) -> str:
    """The page of a report."""
    return page(printable(result.info.path.name, 200), lead(result.listing), list(report_sections(result)))


def report_sections(result: Report) -> Iterator[Section]:
    """The sections of a report that apply to its checkpoint."""
    facts = info_section(result.info)
    facts.context["remarks"] += [printable(note, 400) for note in result.notes]
    yield facts
    yield check_section(result.check)
    if result.verdict is not None:
        yield verdict_section(result.verdict)
    if result.conversion is not None:
        from ckpttool.render.html.conversions import conversion_section  # brings all that converts

        yield conversion_section(result.conversion)
    if result.diff is not None:
        from ckpttool.render.html.diffs import diff_sections  # brings all that compares

        yield from diff_sections(result.diff, Style())
    if result.graph is not None:
        from ckpttool.render.html.graphs import graph_section  # brings the layout

        yield graph_section(result.graph)
    yield listing_section(result.listing, Style())
