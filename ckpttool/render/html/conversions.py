"""Pages of conversions, planned and done: the verdict, what stands in the way, every edit, the changed weights."""

from __future__ import annotations

from ckpttool.conversion import Conversion
from ckpttool.escape import printable
from ckpttool.render.conversion_phrases import (
    EDIT_HEADERS,
    TRANSFORM_HEADERS,
    edit_rows,
    headline,
    predicted,
    remark,
    transform_rows,
)
from ckpttool.render.html.pages import Block, Section, page
from ckpttool.render.style import Style, size


def conversion_page(result: Conversion) -> str:
    """The page of a conversion."""
    title = f"{printable(result.source.name, 100)} → {printable(result.target.name, 100)}"
    return page(title, "Conversion to Keras 3", [conversion_section(result)])


def conversion_section(result: Conversion) -> Section:
    """The plan or the result of a conversion."""
    head, *facts = headline(result, Style()).split("\n")
    word = "refused" if result.refusals else "converted" if result.proved else "planned"
    renamed = [[printable(old, 200), printable(new, 200)] for old, new in result.renamed]
    context = {
        "tone": "bad" if result.refusals else "good" if result.proved else "calm",
        "word": word,
        "text": head,
        "figures": [
            (f"{result.copied:,}", "weights bit for bit"),
            (f"{len(result.transforms):,}", "weights changed"),
            (f"{result.parameters:,}", "parameters"),
            (size(result.nbytes), "of weights"),
        ],
        "facts": facts,
        "lists": [
            ("What stands in the way", list(map(remark, result.refusals))),
            ("What is lost", list(map(remark, result.losses))),
            ("What is guessed", list(map(remark, result.guesses))),
            ("What it needs", list(map(remark, result.needs))),
            ("Run with Keras", [line.removeprefix("= ") for line in predicted(result)]),
        ],
        "blocks": [
            Block("Edits", EDIT_HEADERS, edit_rows(result.edits), right=frozenset({"layers"})).without_empty_columns(),
            Block("Changed weights", TRANSFORM_HEADERS, transform_rows(result.transforms)),
            Block("Renamed layers", ["before", "now"], renamed),
        ],
    }
    return Section("convert", "Conversion to Keras 3", "conversion.html", context)
