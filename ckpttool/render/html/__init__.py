"""Results as pages of HTML for people: one self-contained file each, that asks for nothing and works from disk.

Needs Jinja2, which is imported when a page is written and never before.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from ckpttool.inspection.listing import Listing
from ckpttool.render.style import Style

if TYPE_CHECKING:
    from ckpttool.comparison import Diff
    from ckpttool.conversion import Conversion
    from ckpttool.inspection.architectures import Expected
    from ckpttool.inspection.directories import Summary
    from ckpttool.inspection.graph import ModelGraph
    from ckpttool.inspection.info import Info
    from ckpttool.reports import Report
    from ckpttool.verification import VerifyResult


def listing(result: Listing, style: Style) -> str:
    """A checkpoint: its layers as a tree that folds, with charts where values were read."""
    from ckpttool.render.html import listings

    return listings.listing_page(result, style)


def summaries(results: Sequence[Summary], style: Style) -> str:
    """Several checkpoints, a row each."""
    from ckpttool.render.html import listings

    return listings.summaries_page(results, style)


def info(result: Info, style: Style) -> str:
    """The facts of a checkpoint."""
    from ckpttool.render.html import descriptions

    return descriptions.info_page(result)


def expected(result: Expected, style: Style) -> str:
    """An architecture or a spec: its layers with the weights that they expect."""
    from ckpttool.render.html import descriptions

    return descriptions.expected_page(result)


def expected_info(result: Expected, style: Style) -> str:
    """The facts of an architecture or a spec."""
    from ckpttool.render.html import descriptions

    return descriptions.expected_info_page(result)


def diff(result: Diff, style: Style) -> str:
    """The changes between two checkpoints, the most changed first."""
    from ckpttool.render.html import diffs

    return diffs.diff_page(result, style)


def verdict(result: VerifyResult, style: Style) -> str:
    """Whether a checkpoint loads into an architecture."""
    from ckpttool.render.html import verdicts

    return verdicts.verdict_page(result)


def conversion(result: Conversion, style: Style) -> str:
    """The plan or the result of a conversion."""
    from ckpttool.render.html import conversions

    return conversions.conversion_page(result)


def graph(result: ModelGraph) -> str:
    """The layers of a model and the connections between them, or what changed in them."""
    from ckpttool.render.html import graphs

    return graphs.graph_page(result)


def report(result: Report) -> str:
    """All that the commands say about one checkpoint."""
    from ckpttool.render.html import reports

    return reports.report_page(result)
