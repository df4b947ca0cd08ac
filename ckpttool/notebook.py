"""A result as a notebook shows it: the sections of its page, where Jinja2 is installed, else its short text."""

import importlib
from typing import Any


class Displayed:
    """A result that a notebook shows as HTML."""

    __slots__ = ()

    def _repr_html_(self) -> str | None:
        """The result for a notebook; None where it cannot be shown as HTML, so that the notebook shows its text.

        Results do not know how they are shown: this is the one arrow that points up, and it is followed only when a
        notebook asks.
        """
        fragments: Any = importlib.import_module("ckpttool.render.html.fragments")
        html: str | None = fragments.fragment_of(self)
        return html
