"""Pages of HTML: each is one file that asks for nothing, with the style and the script of this package in it.

A content-security policy lets the browser run that script alone, by its hash, and load nothing. Texts from files are
escaped by the templates, and by `printable` before; none of them is put into a style or a script.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING, Any

from ckpttool import __version__
from ckpttool.errors import CheckpointError

if TYPE_CHECKING:
    from jinja2 import Environment

_TEMPLATES = "templates"


@dataclass(frozen=True, slots=True)
class Section:
    """One part of a page: its key in addresses, its title, and the template that shows its context. `styles` are those
    of a picture in it, which the policy of the page has to allow."""

    key: str
    title: str
    template: str
    context: dict[str, Any]
    styles: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Block:
    """A table of a page. `right` are the headers of columns of numbers, `marks` the style classes of other columns."""

    title: str
    headers: Sequence[str]
    rows: Sequence[Sequence[str]]
    rest: str = ""
    right: frozenset[str] = frozenset()
    marks: tuple[tuple[str, str], ...] = ()

    def without_empty_columns(self) -> Block:
        """The same table without columns that have no text, but for the first one."""
        columns = [at for at in range(len(self.headers)) if not at or any(row[at] for row in self.rows)]
        headers = [self.headers[at] for at in columns]
        return replace(self, headers=headers, rows=[[row[at] for at in columns] for row in self.rows])

    @property
    def classes(self) -> list[str]:
        """The style class of each column, empty for most."""
        return [dict(self.marks).get(header, "") for header in self.headers]


def page(title: str, lead: str, sections: Sequence[Section]) -> str:
    """A whole page. Title and lead are safe to print. Raises CheckpointError where Jinja2 is not installed."""
    from markupsafe import Markup

    environment = _environment()
    style, script = _text("page.css"), _text("page.js")
    shown = [{"key": section.key, "title": section.title, "html": Markup(_shown(section))} for section in sections]
    return (
        environment.get_template("page.html")
        .render(
            title=title,
            lead=lead,
            sections=shown,
            style=Markup(style),
            script=Markup(script),
            policy=Markup(_policy(script, [style, *(own for section in sections for own in section.styles)])),
            version=__version__,
        )
        .rstrip("\n")
    )


def fragment(sections: Sequence[Section]) -> str:
    """Sections for a notebook: with the style, without the script; what folds does so without one."""
    shown = "\n".join(map(_shown, sections))
    return f'<style>{_text("page.css")}</style><div class="ckpttool">\n{shown}\n</div>'


def has_jinja() -> bool:
    """Whether pages can be written here."""
    try:
        _environment()
    except CheckpointError:
        return False
    return True


def _shown(section: Section) -> str:
    return _environment().get_template(section.template).render(section=section, **section.context).strip()


@cache
def _environment() -> Environment:
    try:
        import jinja2
    except ImportError as error:
        raise CheckpointError("HTML is written by Jinja2", hint="pip install 'ckpttool[html]'") from error
    return jinja2.Environment(
        loader=jinja2.FunctionLoader(_text),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )


@cache
def _text(name: str) -> str:
    """A file of this package, of one that it names itself."""
    return files(__package__ or "").joinpath(_TEMPLATES, name).read_text(encoding="utf-8").rstrip("\n")


def _policy(script: str, styles: Sequence[str]) -> str:
    rules = (
        "default-src 'none'",
        f"style-src {' '.join(dict.fromkeys(map(_hash, styles)))}",
        f"script-src {_hash(script)}",
        "img-src data:",
        "base-uri 'none'",
        "form-action 'none'",
    )
    return "; ".join(rules)


def _hash(text: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"
