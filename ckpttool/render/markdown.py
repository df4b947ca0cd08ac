"""Markdown for pull requests and wikis."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING

from ckpttool.escape import printable
from ckpttool.formats import FORMATS
from ckpttool.render.style import Style, producer, size
from ckpttool.render.tables import (
    OPTIONAL_FROM,
    SUMMARY_HEADERS,
    cut_to_depth,
    layer_cells,
    layer_headers,
    shown_rows,
    summary_cells,
    totals,
    weight_cells,
    weight_headers,
)
from ckpttool.render.verdicts import VERDICT_HEADERS, finding_rows, headline, remarks

if TYPE_CHECKING:
    from ckpttool.comparison import Diff
    from ckpttool.inspection.directories import Summary
    from ckpttool.inspection.listing import Listing
    from ckpttool.render import diffs
    from ckpttool.verification import VerifyResult

_SPECIAL = re.compile(r"([\\`*_{}\[\]<>|#~])")


def escaped(cell: str) -> str:
    """Text in which Markdown's special characters are escaped."""
    return _SPECIAL.sub(r"\\\1", cell)


def listing(result: Listing, style: Style) -> str:
    """A listing with a heading, a table and the totals."""
    if style.layers:
        titles = layer_headers(result)
        layers = cut_to_depth(result.by_layer(), style.depth)
        cells = [layer_cells(layer)[: len(titles)] for layer in layers]
    else:
        titles = weight_headers(result)
        cells = [weight_cells(row, titles) for row in shown_rows(result)]
    facts = [FORMATS[result.kind].title, producer(result.producer), size(result.size)]
    head = f"### {escaped(printable(result.path.name))}\n\n{escaped(', '.join(filter(None, facts)))}"
    lines = "\n".join(f"- {escaped(' '.join(line.split()))}" for line in totals(result))
    return "\n\n".join(filter(None, (head, as_table(cells, titles), lines)))


def summaries(results: Sequence[Summary], style: Style) -> str:
    """A table of several checkpoints, one row each."""
    cells = [summary_cells(result) for result in results]
    columns = [n for n in range(len(SUMMARY_HEADERS)) if n < OPTIONAL_FROM or any(line[n] for line in cells)]
    return as_table([[line[n] for n in columns] for line in cells], [SUMMARY_HEADERS[n] for n in columns])


def verdict(result: VerifyResult, style: Style) -> str:
    """The verdict as a heading, then the findings as a table."""
    head, *facts = headline(result, Style()).split("\n")
    rows = finding_rows(result.findings)
    table = as_table(rows, VERDICT_HEADERS) if rows else ""
    lines = "\n".join(f"- {escaped(line)}" for line in remarks(result))
    return "\n\n".join(filter(None, (f"### {escaped(head)}", escaped("\n".join(facts)), table, lines)))


def diff(result: Diff, style: Style) -> str:
    """The verdict as a heading, then a table for each part that changed."""
    from ckpttool.render import diffs  # the other outputs do not need this import

    facts = "\n".join(f"- {escaped(line)}" for line in diffs.sides(result))
    parts = [_part(block) for block in diffs.blocks(result, style)]
    lines = "\n".join(f"- {escaped(line)}" for line in diffs.remarks(result))
    return "\n\n".join(filter(None, (f"### {escaped(diffs.headline(result))}", facts, *parts, lines)))


def _part(block: diffs.Block) -> str:
    table = as_table([list(row) for row in block.rows], list(block.headers))
    return "\n\n".join(filter(None, (f"**{block.title}**", table, escaped(block.rest))))


def as_table(cells: list[list[str]], titles: list[str]) -> str:
    """A table of cells, in which Markdown's special characters are escaped."""
    from tabulate import tabulate

    body = [[escaped(cell) for cell in line] for line in cells]
    return str(tabulate(body, list(map(escaped, titles)), tablefmt="github", disable_numparse=True))
