"""What a config names to be called: classes and functions, by module and name, wherever they stand."""

import re
from collections.abc import Iterator, Mapping
from typing import Any

from ckpttool.checks.rule import Finding, Rule, Severity
from ckpttool.checks.safety.modelling import (
    Standing,
    class_standing,
    function_standing,
    is_old_optimizer,
    spec_standing,
)
from ckpttool.checks.safety.walk import Node

UNSAFE_CALLABLE = Rule(
    code="S102",
    name="unsafe-callable",
    family="safety",
    severity=Severity.ERROR,
    finds="A config that names a class or function which no model is made of: of Python, of a library, of keras.utils.",
    why="Loading the model imports and calls it with arguments of the file's choice (CVE-2025-1550, CVE-2025-8747, "
    "CVE-2025-9906).",
    remedy="Do not load the file. Where you made it yourself, put the function into a registered one of your own.",
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
    finds="A class or function that Keras 3.15 does not have.",
    why="The model loads only where its code is, and whoever loads it runs that code.",
    remedy="Review the code that comes with the checkpoint, and register it before loading.",
)

SAVED_MODEL = Rule(
    code="S105",
    name="saved-model",
    family="safety",
    severity=Severity.ERROR,
    finds="A TFSMLayer, which loads a SavedModel from a path that the config names.",
    why="A SavedModel can read and write files, and it comes from outside the checkpoint (CVE-2026-1462).",
    remedy="Rebuild the model with the layers themselves, or load it only with a SavedModel that you trust.",
)

RULES = (UNSAFE_CALLABLE, DISGUISED, CUSTOM_OBJECT, SAVED_MODEL)

_LOADERS = frozenset({"TFSMLayer"})
_ELSEWHERE = frozenset({"TorchModuleWrapper"})  # told by rules of their own
_DATA = frozenset({"CompositeTensor", "TensorShape", "TypeSpec"})  # values, as Keras 2 wrote them in JSON
_SHOWN = 80

# Operations of TensorFlow that touch files or run code: as functions of its API, and as nodes of a graph.
_ABLE_SPACES = frozenset({
    "autograph", "config", "data", "debugging", "distribute", "estimator", "experimental", "feature_column",
    "graph_util", "io", "lite", "load_library", "load_op_library", "lookup", "mlir", "numpy_function", "print",
    "profiler", "py_function", "queue", "saved_model", "summary", "sysconfig", "test", "tpu", "train", "xla",
})  # fmt: skip
_ABLE_OPS = frozenset({
    "EagerPyFunc", "FixedLengthRecordDataset", "InitializeTableFromTextFile", "InitializeTableFromTextFileV2",
    "MatchingFiles", "MergeV2Checkpoints", "Print", "PrintV2", "PyFunc", "PyFuncStateless", "ReadFile", "Restore",
    "RestoreSlice", "RestoreV2", "Save", "SaveSlices", "SaveV2", "TFRecordDataset", "TextLineDataset",
    "WholeFileReader", "WholeFileReaderV2", "WriteFile",
})  # fmt: skip
_VERSION = re.compile(r"^(tf\.)?(compat\.v[12]\.)*")


def objects(node: Node) -> Iterator[Finding]:
    """Objects and functions as Keras 2.12 and later write them, and objects as all before did."""
    value = node.value
    if not isinstance(value, Mapping) or not isinstance(value.get("class_name"), str):
        return
    class_name, module = value["class_name"], value.get("module")
    module = module if isinstance(module, str) else None
    if class_name == "function":
        name = value.get("config")
        if isinstance(name, str):
            yield from _judged(node.place, module, name, function_standing(module, name))
    elif class_name == "__typespec__":
        name = str(value.get("spec_name"))
        yield from _judged(node.place, module, name, spec_standing(module, name))
    elif not class_name.startswith("__") and class_name not in _DATA:
        standing = class_standing(module, class_name)
        if module is None and _is_registered(value):
            standing = Standing.FOREIGN
        yield from _judged(node.place, module, class_name, standing)
        if standing is Standing.KNOWN and module is not None:
            yield from _disguises(node.place, class_name, value.get("registered_name"))


def _is_registered(value: Mapping[str, Any]) -> bool:
    return isinstance(value.get("registered_name"), str) and ">" in value["registered_name"]


def _judged(place: str, module: str | None, name: str, standing: Standing) -> Iterator[Finding]:
    called = f"{module}.{name}"[:_SHOWN] if module else name[:_SHOWN]
    if name in _LOADERS:
        yield Finding(SAVED_MODEL, place, f"names {called}")
    elif name in _ELSEWHERE:
        return
    elif standing is Standing.UNSAFE:
        yield Finding(UNSAFE_CALLABLE, place, f"names {called}")
    elif standing is Standing.FOREIGN:
        yield Finding(CUSTOM_OBJECT, place, called)


def _disguises(place: str, class_name: str, registered: Any) -> Iterator[Finding]:
    """`registered_name` of a class of Keras is that of the class, or missing
    (`_assert_no_registered_name_for_builtin`, keras/src/saving/serialization_lib.py, 3.15)."""
    if isinstance(registered, str) and registered not in ("", class_name) and not is_old_optimizer(registered):
        yield Finding(DISGUISED, place, f"{class_name}, registered as {registered[:_SHOWN]}")


def old_functions(node: Node) -> Iterator[Finding]:
    """Functions as Lambda layers of Keras 1 and 2 name them: `function`, `function_type`, `module`."""
    value = node.value
    if not isinstance(value, Mapping):
        return
    for key, name in value.items():
        if isinstance(name, str) and value.get(f"{key}_type") == "function":
            module = value.get(f"{key}_module", value.get("module"))
            module = module if isinstance(module, str) else None
            yield from _judged(node.at(key), module, name, function_standing(module, name))


def tensorflow_operations(node: Node) -> Iterator[Finding]:
    """Operations of TensorFlow, called by name (TFOpLambda) or as a node of a graph (TensorFlowOpLayer)."""
    value = node.value
    if not isinstance(value, Mapping):
        return
    function, op = value.get("function"), value.get("op")
    if isinstance(function, str) and "function_type" not in value:
        space, _, name = _VERSION.sub("", function).partition(".")
        if space == "keras":
            module, _, name = f"keras.{name}".rpartition(".")
            yield from _judged(node.at("function"), module, name, function_standing(module, name))
        elif space in _ABLE_SPACES or (space == "raw_ops" and name in _ABLE_OPS):
            yield Finding(UNSAFE_CALLABLE, node.at("function"), f"names tf.{function[:_SHOWN]}")
    if isinstance(op, str) and op in _ABLE_OPS:
        yield Finding(UNSAFE_CALLABLE, node.at("op"), f"names TensorFlow's operation {op}")


JUDGES = (objects, old_functions, tensorflow_operations)
