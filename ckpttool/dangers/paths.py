"""Files and addresses that a config names: those that layers open, and any other that a custom class might open."""

import re
from collections.abc import Iterator

from ckpttool.dangers.danger import Danger, Kind
from ckpttool.dangers.walk import Node

# Arguments of lookup layers, feature columns and KerasHub's tokenizers that are files where they are texts.
_OPENED = frozenset({"vocabulary", "idf_weights", "vocabulary_file", "ckpt_to_load_from", "merges", "proto"})
_BASE64 = re.compile(r"(?:[A-Za-z0-9+/]{4}){16,}(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?")
_PATH_KEY = re.compile(
    r"(?:.*_)?(?:path|file|filename|fname|filepath|dir|directory|folder|url|uri|origin|weights|handle|checkpoint|ckpt)",
    re.IGNORECASE,
)
_OUTSIDE = re.compile(r"(?:[a-z][a-z0-9+.-]{1,20}:/|/|~|[a-z]:[\\/]|\\\\|\.\.[\\/])\S", re.IGNORECASE)
_SHOWN = 80


def paths(node: Node) -> Iterator[Danger]:
    """Dangers of the paths and addresses in one object."""
    for key, value in node.value.items():
        if not isinstance(value, str) or not value:
            continue
        if key in _OPENED and not (key == "proto" and _BASE64.fullmatch(value)):  # base64 is the tokenizer itself
            yield Danger(Kind.OPENED_FILE, node.at(key), f"is {value[:_SHOWN]!r}")
        elif _OUTSIDE.match(value) and _PATH_KEY.fullmatch(key[:_SHOWN]) and not _is_saved_model(node):
            yield Danger(Kind.PATH, node.at(key), f"is {value[:_SHOWN]!r}")


def _is_saved_model(node: Node) -> bool:
    """Whether a node is the config of a TFSMLayer or a layer of TensorFlow Hub, which are reported as such."""
    class_name = node.parent.value.get("class_name") if node.parent and isinstance(node.parent.value, dict) else None
    return "call_endpoint" in node.value or ("handle" in node.value and is_hub_layer(class_name))


def is_hub_layer(class_name: object) -> bool:
    """Whether a class is TensorFlow Hub's layer, which loads a SavedModel from the path or address in `handle`."""
    return isinstance(class_name, str) and class_name.rpartition(">")[2] == "KerasLayer"


JUDGES = (paths,)
