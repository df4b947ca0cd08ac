"""Reports of `check`, one module an output, and its rules."""

from ckpttool.render.outputs import Outputs

CHECK_OUTPUTS = Outputs(__name__, "report", "text json markdown junit sarif github html")

SUFFIXES = {".txt": "text", ".json": "json", ".md": "markdown", ".xml": "junit", ".sarif": "sarif", ".html": "html"}
"""The output of a report by the suffix of its file."""

__all__ = ["CHECK_OUTPUTS", "SUFFIXES"]
