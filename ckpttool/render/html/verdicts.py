"""Pages of verdicts of `verify`: the verdict, the figures, and what is wrong as a table."""

from __future__ import annotations

from ckpttool.escape import printable
from ckpttool.render.html.pages import Block, Section, page
from ckpttool.render.style import Style
from ckpttool.render.verdicts import VERDICT_HEADERS, finding_rows, headline, remarks, verdict_word
from ckpttool.verification import VerifyResult

_TONES = {"loads": "good", "fits": "warn", "does not load": "bad", "cannot tell": "warn"}


def verdict_page(result: VerifyResult) -> str:
    """The page of a verification."""
    title = f"{printable(result.checkpoint.name, 100)}: {verdict_word(result)}"
    return page(title, f"into {printable(result.architecture, 200)}", [verdict_section(result)])


def verdict_section(result: VerifyResult) -> Section:
    """The verdict with its findings."""
    head, *facts = headline(result, Style()).split("\n")
    figures = [(f"{len(result.matched):,}", "weights match"), (f"{len(result.failures):,}", "do not")]
    if result.skipped:
        figures.append((f"{len(result.skipped):,}", "are skipped"))
    rows = finding_rows(result.findings)
    context = {
        "tone": _TONES[verdict_word(result)],
        "word": verdict_word(result),
        "text": head,
        "figures": figures,
        "facts": facts,
        "blocks": [Block("Findings", VERDICT_HEADERS, rows, right=frozenset({"count"})).without_empty_columns()],
        "lines": remarks(result),
    }
    return Section("verify", "Loading", "verdict.html", context)
