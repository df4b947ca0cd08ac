"""Code and pickles inside a config. They are reported, never decoded or judged: nobody can vet bytecode."""

import re
from collections.abc import Iterator
from typing import Any

from ckpttool.dangers.danger import Danger, Kind
from ckpttool.dangers.walk import Node

_BASE64 = re.compile(r"[A-Za-z0-9+/\s]{32,}=*")


def code_list(node: Node) -> Iterator[Danger]:
    """A function stored as a list of code, defaults and closure."""
    if _is_code_list(node.value) and not node.is_within("__lambda__"):
        yield Danger(Kind.LAMBDA_CODE, node.place, "a list of bytecode, defaults and closure, as Keras 1 and 2 write")


def code(node: Node) -> Iterator[Danger]:
    """Functions stored as code in one object: a `__lambda__` of Keras 3, code alone before."""
    if node.value.get("class_name") == "__lambda__":
        yield Danger(Kind.LAMBDA_CODE, node.place, "a __lambda__, as Keras 3 writes")
    for type_key, kind in node.value.items():
        key = type_key.removesuffix("_type")
        if kind == "lambda" and _is_bytecode(node.value.get(key)):
            yield Danger(Kind.LAMBDA_CODE, node.at(key), "bytecode, as Keras 1 and 2 write")


def _is_bytecode(stored: Any) -> bool:
    """Whether a value may be code, and is no list of code, which is reported as an object of its own."""
    return stored != "lambda" and isinstance(stored, str | list) and not _is_code_list(stored)


def _is_code_list(value: Any) -> bool:
    if not isinstance(value, list) or len(value) != 3 or not isinstance(value[0], str):
        return False
    is_rest = all(part is None or isinstance(part, list | dict) for part in value[1:])
    return is_rest and bool(_BASE64.fullmatch(value[0].rstrip()))


def pickles(node: Node) -> Iterator[Danger]:
    """Pickles in one object of a config, and bytes that may be one."""
    class_name, config = node.value.get("class_name"), node.value.get("config")
    if "TorchModuleWrapper" in (class_name, config):
        yield Danger(Kind.TORCH_MODULE, node.place, "a TorchModuleWrapper")
    if class_name == "__bytes__" and not node.is_within("TorchModuleWrapper"):
        yield Danger(Kind.BYTES, node.place, "bytes")


JUDGES = (code, pickles)
