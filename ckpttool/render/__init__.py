"""Text of results, one module an output. Renderers take values and return strings; they never print."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from ckpttool.inspection.listing import Listing
from ckpttool.render import csv, html, json, markdown, text
from ckpttool.render.style import Style, Summary

if TYPE_CHECKING:
    from ckpttool.comparison import Diff
    from ckpttool.inspection.info import Info
    from ckpttool.verification import VerifyResult

LISTING_OUTPUTS: dict[str, Callable[[Listing, Style], str]] = {
    "text": text.listing,
    "json": json.listing,
    "csv": csv.listing,
    "markdown": markdown.listing,
    "html": html.listing,
}

SUMMARY_OUTPUTS: dict[str, Callable[[Sequence[Summary], Style], str]] = {
    "text": text.summaries,
    "json": json.summaries,
    "csv": csv.summaries,
    "markdown": markdown.summaries,
    "html": html.summaries,
}

INFO_OUTPUTS: dict[str, Callable[[Info, Style], str]] = {"text": text.info, "json": json.info, "html": html.info}

DIFF_OUTPUTS: dict[str, Callable[[Diff, Style], str]] = {
    "text": text.diff,
    "json": json.diff,
    "markdown": markdown.diff,
}

VERIFY_OUTPUTS: dict[str, Callable[[VerifyResult, Style], str]] = {
    "text": text.verdict,
    "json": json.verdict,
    "markdown": markdown.verdict,
}

__all__ = ["DIFF_OUTPUTS", "INFO_OUTPUTS", "LISTING_OUTPUTS", "SUMMARY_OUTPUTS", "VERIFY_OUTPUTS", "Style", "Summary"]
