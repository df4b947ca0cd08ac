"""Rules about what a config names to be called: classes and functions, by module and name."""

from ckpttool.checks.rule import Rule, Severity

UNSAFE_CALLABLE = Rule(
    code="S102",
    name="unsafe-callable",
    family="safety",
    severity=Severity.ERROR,
    finds="A config that names a class, function or operation that no model needs: of Python, of a library, "
    "of TensorFlow beyond arithmetic, of keras.utils.",
    why="Loading the model imports and calls it with arguments of the file's choice (CVE-2025-1550, CVE-2025-8747, "
    "CVE-2025-9906).",
    remedy="Do not load the file. If it is your own, move the call into a class or function of your own that you "
    "register with Keras.",
)

DISGUISED = Rule(
    code="S103",
    name="disguised-class",
    family="safety",
    severity=Severity.ERROR,
    finds="A class of Keras that is registered under another name.",
    why="Keras before 3.15 takes the class registered under that name instead of the one the config shows.",
    remedy="Find out who wrote the config, and remove registered_name from it.",
)

CUSTOM_OBJECT = Rule(
    code="S104",
    name="custom-object",
    family="safety",
    severity=Severity.INFO,
    finds="A class or function of the user's own, or one that Keras 3.15 does not have.",
    why="The model loads only where its code is, and whoever loads it runs that code.",
    remedy="Review the code that comes with the checkpoint, and register it before loading.",
)

SAVED_MODEL = Rule(
    code="S105",
    name="saved-model",
    family="safety",
    severity=Severity.ERROR,
    finds="A TFSMLayer, or a KerasLayer of TensorFlow Hub, which load a SavedModel from a path or address in the "
    "config.",
    why="A SavedModel can read and write files, and it comes from outside the checkpoint (CVE-2026-1462).",
    remedy="Rebuild the model with the layers themselves, or load it only with a SavedModel that you trust.",
)

RULES = (UNSAFE_CALLABLE, DISGUISED, CUSTOM_OBJECT, SAVED_MODEL)
