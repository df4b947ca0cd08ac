"""The operation of a node of a TensorFlow graph, which a config stores as an object or as the bytes of protobuf."""

from collections.abc import Iterator, Mapping
from typing import Any

from ckpttool.errors import CheckpointError
from ckpttool.io import json_text

_OP = 2  # the number of the field `op` of NodeDef (tensorflow/core/framework/node_def.proto)
_BYTES = 2  # the wire type of texts and messages


def operations_of(node_def: Any) -> tuple[str, ...]:
    """The operations that a node may have, none where it cannot be read.

    Keras takes a text as the bytes of protobuf (`TensorFlowOpLayer`, keras/src/engine/base_layer.py, 2.15); other tools
    read JSON there. Where a text is both, or names an operation several times, each counts.
    """
    if isinstance(node_def, Mapping):
        op = node_def.get("op")
        return (op,) if isinstance(op, str) else ()
    if not isinstance(node_def, str):
        return ()
    return tuple(dict.fromkeys([*_in_json(node_def), *_in_protobuf(node_def.encode("utf-8", "surrogatepass"))]))


def _in_json(text: str) -> tuple[str, ...]:
    if not text.lstrip().startswith("{"):
        return ()
    try:
        value = json_text.parse(text, "a node of a graph").value
    except CheckpointError:
        return ()
    return operations_of(value) if isinstance(value, Mapping) else ()


def _in_protobuf(raw: bytes) -> tuple[str, ...]:
    try:
        return tuple(_texts(raw, _OP))
    except (ValueError, IndexError):
        return ()


def _texts(raw: bytes, wanted: int) -> Iterator[str]:
    """The values of a text field. Raises ValueError or IndexError for bytes that are no NodeDef, whose fields are all
    of the wire type for bytes and never empty."""
    at = 0
    while at < len(raw):
        tag, at = _varint(raw, at)
        size, at = _varint(raw, at)
        if tag & 7 != _BYTES or not size:
            raise ValueError("no node")
        if tag >> 3 == wanted:
            yield raw[at : at + size].decode("utf-8")
        at += size
    if at > len(raw):
        raise ValueError("cut off")


def _varint(raw: bytes, at: int) -> tuple[int, int]:
    """A number of variable length, and the offset behind it."""
    value = raw[at]
    if value < 0x80:
        return value, at + 1
    value = 0
    for number in range(10):
        byte = raw[at + number]
        value |= (byte & 0x7F) << (7 * number)
        if byte < 0x80:
            return value, at + number + 1
    raise ValueError("a number that does not end")
