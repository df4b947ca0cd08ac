"""Rules about the files and addresses that a config names."""

from ckpttool.checks.rule import Rule, Severity

VOCABULARY_PATH = Rule(
    code="S107",
    name="vocabulary-path",
    family="safety",
    severity=Severity.ERROR,
    finds="A file that a layer opens: a vocabulary, weights of its words or of an embedding, as a path or address.",
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
