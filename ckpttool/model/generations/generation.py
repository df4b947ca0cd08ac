"""The generation of Keras that wrote a config, inferred from the config itself.

Sources: `to_json` and `Layer.get_config` of 1.2.2, 2.2.4, 2.15 and 3.15; a config of Keras 0.3 has no `class_name`.
"""

from collections.abc import Iterator, Mapping
from enum import IntEnum
from typing import Any

from ckpttool.io import scalars
from ckpttool.model.arguments import MAX_DEPTH

MAX_ENTRIES = 100_000


class Generation(IntEnum):
    """A generation of Keras: the first number of its version. tf.keras 1.x and 2.x are of Keras 2."""

    KERAS_0 = 0
    KERAS_1 = 1
    KERAS_2 = 2
    KERAS_3 = 3


_OLD_NAMES = frozenset({"Graph", "Sequential"})

# Arguments of Keras 1 that have another name in Keras 2.
_ARGUMENTS_1 = frozenset(
    """
    atrous_rate border_mode consume_less dim_ordering dropout_U filter_length init inner_activation inner_init
    input_dtype kernel_dim1 nb_col nb_filter p pool_length sigma subsample subsample_length U_regularizer
    W_constraint W_regularizer
    """.split()
)
_ARGUMENTS_2 = frozenset({"batch_input_shape", "time_major"})  # of Keras 2, in entries with a module
_SAME_IN_BOTH = frozenset({"Highway", "MaxoutDense"})  # keras/legacy/layers.py, 2.2.4, keeps the arguments of Keras 1
_INITIALIZERS = frozenset({"alpha_initializer", "beta_initializer", "embeddings_initializer", "kernel_initializer"})


def generation_of(config: Any, version: Any = None) -> Generation:
    """The generation of Keras that wrote the config of a model or layer; KERAS_3 where nothing in it says so.

    `version` is the version in the file around the config, which comes before all else.
    """
    by_file = _by_version(version)
    if by_file is not None or not isinstance(config, Mapping):
        return Generation.KERAS_3 if by_file is None else by_file
    if "class_name" not in config:
        return Generation.KERAS_0 if _is_flat(config) else Generation.KERAS_3
    by_config = _by_version(config.get("keras_version"))
    if by_config is not None:
        return by_config
    by_layers = [generation for entry in entries_in(config) if (generation := _by_layer(entry)) is not None]
    if Generation.KERAS_1 in by_layers:
        return Generation.KERAS_1
    if by_layers:
        return by_layers[0]
    return Generation.KERAS_3 if "module" in config else Generation.KERAS_2


def _is_flat(config: Mapping[str, Any]) -> bool:
    """Whether a config has the class of a model in `name`, as Keras 0 writes it."""
    name = config.get("name")
    return isinstance(name, str) and name in _OLD_NAMES and "config" not in config


def _by_version(version: Any) -> Generation | None:
    """The generation of a version such as "2.2.4-tf", None where it is none."""
    digit = version[:1] if isinstance(version, str) and version[1:2] in (".", "") else ""
    number = scalars.digits(digit)
    return Generation(number) if number is not None and number < 4 else None


def entries_in(config: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """The entries of the layers in a config, itself first, `MAX_ENTRIES` at most."""
    stack: list[tuple[Any, int]] = [(config, 0)]
    for _ in range(MAX_ENTRIES):
        if not stack:
            return
        entry, depth = stack.pop()
        if not isinstance(entry, Mapping) or depth > MAX_DEPTH:
            continue
        yield entry
        stack.extend((child, depth + 1) for child in reversed(_children(entry.get("config"))))


def _children(config: Any) -> list[Any]:
    """The values in a layer's config that may be entries of inner layers."""
    if isinstance(config, list):
        return config[:MAX_ENTRIES]
    if not isinstance(config, Mapping):
        return []
    lists = [config[key] for key in ("layers", "cells") if isinstance(config.get(key), list)]
    return [
        *(config.get(key) for key in ("layer", "cell")),
        *(item for entries in lists for item in entries[:MAX_ENTRIES]),
    ]


def _by_layer(entry: Mapping[str, Any]) -> Generation | None:
    """The generation that the entry of one layer is typical of, None where it fits several."""
    class_name, config = entry.get("class_name"), entry.get("config")
    if not isinstance(config, Mapping) or not isinstance(class_name, str):
        return None
    if class_name == "Merge" or (class_name == "BatchNormalization" and "mode" in config):
        return Generation.KERAS_1
    if class_name in _SAME_IN_BOTH:
        return None
    dtype = config.get("dtype")
    policy = dtype.get("class_name") if isinstance(dtype, Mapping) else None
    if "batch_shape" in config or policy == "DTypePolicy":
        return Generation.KERAS_3
    if not _ARGUMENTS_1.isdisjoint(config) and "module" not in entry:
        return Generation.KERAS_1
    if policy == "Policy" or ("module" in entry and not _ARGUMENTS_2.isdisjoint(config)):
        return Generation.KERAS_2
    if "module" not in entry and not _INITIALIZERS.isdisjoint(config):
        return Generation.KERAS_2
    return _by_node(entry)


def _by_node(entry: Mapping[str, Any]) -> Generation | None:
    """The generation that the form of a layer's first call is typical of: an object, or lists of three or four
    values."""
    nodes = entry.get("inbound_nodes")
    if not isinstance(nodes, list) or not nodes:
        return None
    if isinstance(nodes[0], Mapping) and "args" in nodes[0]:
        return Generation.KERAS_3
    first = nodes[0][0] if isinstance(nodes[0], list) and nodes[0] else None
    if not isinstance(first, list) or not first or not isinstance(first[0], str):
        return None
    return {3: Generation.KERAS_1, 4: Generation.KERAS_2}.get(len(first))
