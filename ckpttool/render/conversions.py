"""Conversions as text and as JSON. In text, equal edits of several layers share a row."""

from collections.abc import Callable
from dataclasses import asdict
from typing import Any

from ckpttool.conversion import EDITS, Conversion
from ckpttool.conversion.journal import Applied
from ckpttool.escape import printable
from ckpttool.render import html
from ckpttool.render.conversion_phrases import (
    EDIT_HEADERS,
    TRANSFORM_HEADERS,
    edit_rows,
    headline,
    remarks,
    transform_rows,
)
from ckpttool.render.json_values import dumps
from ckpttool.render.style import Style


def as_text(conversion: Conversion, style: Style) -> str:
    """The conversion as text: the headline, every kind of edit, the changed weights, and the remarks."""
    edits = _table(edit_rows(conversion.edits), EDIT_HEADERS)
    transforms = _table(transform_rows(conversion.transforms), TRANSFORM_HEADERS)
    names = [f"{printable(old, 200)} is renamed to {printable(new, 200)}" for old, new in conversion.renamed]
    parts = (headline(conversion, style), edits, transforms, "\n".join(names), "\n".join(remarks(conversion)))
    return "\n\n".join(filter(None, parts))


def as_json(conversion: Conversion, style: Style) -> str:
    """The conversion as one object."""
    return dumps(
        {
            "schema": "ckpttool.convert/1",
            **{key: str(value) for key, value in (("source", conversion.source), ("target", conversion.target))},
            "kind": conversion.kind,
            "form": conversion.form,
            "model": conversion.model,
            "writer": conversion.writer,
            "proved": conversion.proved,
            "prediction": asdict(conversion.prediction) if conversion.prediction else None,
            "unpredicted": conversion.unpredicted,
            "weights": {"copied": conversion.copied, "changed": len(conversion.transforms)},
            "parameters": conversion.parameters,
            "nbytes": conversion.nbytes,
            "edits": [_edit(edit) for edit in conversion.edits],
            "transforms": [asdict(transform) for transform in conversion.transforms],
            "renamed": [{"old": old, "new": new} for old, new in conversion.renamed],
            **{kind: [asdict(remark) for remark in getattr(conversion, kind)] for kind in _REMARKS},
        }
    )


_REMARKS = ("refusals", "losses", "guesses", "needs")


def _edit(edit: Applied) -> dict[str, Any]:
    return {"edit": edit.edit.name, "where": edit.where, "detail": edit.detail, "exact": edit.edit.exact}


CONVERSION_OUTPUTS: dict[str, Callable[[Conversion, Style], str]] = {
    "text": as_text,
    "json": as_json,
    "html": html.conversion,
}


def catalogue() -> str:
    """The table of all kinds of edits."""
    return _table([[edit.name, edit.does, edit.exact] for edit in EDITS], ["edit", "what it does", "exact"], 60)


def _table(rows: list[list[str]], headers: list[str], width: int | None = None) -> str:
    from tabulate import tabulate

    if not rows:
        return ""
    return str(tabulate(rows, headers, tablefmt="simple", disable_numparse=True, maxcolwidths=width))
