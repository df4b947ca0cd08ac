"""Code and pickles inside a config. They are named, never decoded, let alone judged: nobody can vet bytecode."""

import re
from collections.abc import Iterator, Mapping
from typing import Any

from ckpttool.checks.rule import Finding, Rule, Severity
from ckpttool.checks.safety.walk import Node

LAMBDA_CODE = Rule(
    code="S101",
    name="lambda-code",
    family="safety",
    severity=Severity.ERROR,
    finds="Python bytecode in a config: a Lambda layer, or any other place that holds a function as code.",
    why="Whoever loads the model runs it, unless Keras refuses to (CVE-2024-3660, CVE-2025-9905, CVE-2026-12481).",
    remedy="Replace the lambda by a registered class or function, or by an operation of keras.ops, and save again.",
)

TORCH_MODULE = Rule(
    code="S106",
    name="torch-module",
    family="safety",
    severity=Severity.ERROR,
    finds="A TorchModuleWrapper, whose module is a pickle in the config.",
    why="Loading the model unpickles it, which can run anything (CVE-2025-49655).",
    remedy="Write the module's layers in Keras, or load it only where its author is trusted.",
)

BYTES = Rule(
    code="S108",
    name="bytes-in-config",
    family="safety",
    severity=Severity.WARNING,
    finds="Raw bytes as a value in a config.",
    why="No layer of Keras but TorchModuleWrapper has such; a custom class may unpickle them.",
    remedy="Find out which class reads them, and what it does with them.",
)

RULES = (LAMBDA_CODE, TORCH_MODULE, BYTES)

_BASE64 = re.compile(r"[A-Za-z0-9+/\s]{32,}=*\s*")


def code(node: Node) -> Iterator[Finding]:
    """Functions that stand there as code: `__lambda__` of Keras 3, code or (code, defaults, closure) before."""
    value = node.value
    if _is_code_list(value) and not node.is_within("__lambda__"):
        yield Finding(LAMBDA_CODE, node.place, "a list of bytecode, defaults and closure, as Keras 1 and 2 write")
    if not isinstance(value, Mapping):
        return
    if value.get("class_name") == "__lambda__":
        yield Finding(LAMBDA_CODE, node.place, "a __lambda__, as Keras 3 writes")
    for key in value:
        held = value.get(key.removesuffix("_type"))
        if value[key] == "lambda" and held != "lambda" and isinstance(held, str | list) and not _is_code_list(held):
            yield Finding(LAMBDA_CODE, node.at(key.removesuffix("_type")), "bytecode, as Keras 1 and 2 write")


def _is_code_list(value: Any) -> bool:
    if not isinstance(value, list) or len(value) != 3 or not isinstance(value[0], str):
        return False
    is_rest = all(part is None or isinstance(part, list | dict) for part in value[1:])
    return is_rest and bool(_BASE64.fullmatch(value[0]))


def pickles(node: Node) -> Iterator[Finding]:
    """Pickles in a config, and bytes that may be one."""
    if not isinstance(node.value, Mapping):
        return
    if "TorchModuleWrapper" in (node.value.get("class_name"), node.value.get("config")):
        yield Finding(TORCH_MODULE, node.place, "a TorchModuleWrapper")
    if node.value.get("class_name") == "__bytes__" and not node.is_within("TorchModuleWrapper"):
        yield Finding(BYTES, node.place, "bytes")


JUDGES = (code, pickles)
