"""Files and addresses that a config names and that are opened when the model is loaded."""

import re
from collections.abc import Iterator, Mapping

from ckpttool.checks.rule import Finding, Rule, Severity
from ckpttool.checks.safety.walk import Node

VOCABULARY_PATH = Rule(
    code="S107",
    name="vocabulary-path",
    family="safety",
    severity=Severity.ERROR,
    finds="A vocabulary, or weights of its words, given as a path or address and not as a list.",
    why="Loading the model opens it: a way to read any file, or to make the machine call an address (CVE-2025-12058).",
    remedy="Load the vocabulary yourself, set it with set_vocabulary() and save again: Keras then stores the words.",
)

PATH_IN_CONFIG = Rule(
    code="S110",
    name="path-in-config",
    family="safety",
    severity=Severity.WARNING,
    finds="An absolute path or an address as an argument that is called path, file, url or the like.",
    why="A custom class may open it when the model is loaded; elsewhere it is missing or another file.",
    remedy="Find out which class reads it; keep such files among the assets of the checkpoint.",
)

RULES = (VOCABULARY_PATH, PATH_IN_CONFIG)

_WORDS = ("vocabulary", "idf_weights")
_PATH_KEY = re.compile(
    r"(?:.*_)?(?:path|file|filename|fname|filepath|dir|directory|folder|url|uri|origin)", re.IGNORECASE
)
_OUTSIDE = re.compile(r"(?:[a-z][a-z0-9+.-]{1,20}:/|/|~|[a-z]:[\\/]|\\\\|\.\.[\\/])\S", re.IGNORECASE)
_SHOWN = 80


def paths(node: Node) -> Iterator[Finding]:
    """Paths and addresses in one object."""
    if not isinstance(node.value, Mapping):
        return
    for key, value in node.value.items():
        if not isinstance(value, str) or not value:
            continue
        if key in _WORDS:
            yield Finding(VOCABULARY_PATH, node.at(key), f"is {value[:_SHOWN]!r}")
        elif _OUTSIDE.match(value) and _PATH_KEY.fullmatch(key[:_SHOWN]) and not _is_saved_model(node):
            yield Finding(PATH_IN_CONFIG, node.at(key), f"is {value[:_SHOWN]!r}")


def _is_saved_model(node: Node) -> bool:
    """Whether this is what a TFSMLayer takes, which a rule of its own tells."""
    return "call_endpoint" in node.value


JUDGES = (paths,)
