"""Which generation of Keras wrote a config, told from what stands in it.

Sources: `to_json` and `Layer.get_config` of 1.2.2, 2.2.4, 2.15 and 3.15; a config of Keras 0.3 has no `class_name`.
"""

from collections.abc import Iterator, Mapping
from enum import IntEnum
from typing import Any

from ckpttool.io import scalars
from ckpttool.model.arguments import MAX_DEPTH

MAX_ENTRIES = 100_000


class Generation(IntEnum):
    """A generation of Keras: what the first number of its version is. tf.keras 1.x and 2.x are of Keras 2."""

    KERAS_0 = 0
    KERAS_1 = 1
    KERAS_2 = 2
    KERAS_3 = 3


_OLD_NAMES = frozenset({"Graph", "Sequential"})

# Arguments that Keras 1 wrote and Keras 2 calls otherwise.
_ARGUMENTS_1 = frozenset(
    {
        "atrous_rate",
        "border_mode",
        "consume_less",
        "dim_ordering",
        "dropout_U",
        "filter_length",
        "init",
        "inner_activation",
        "inner_init",
        "input_dtype",
        "kernel_dim1",
        "nb_col",
        "nb_filter",
        "p",
        "pool_length",
        "sigma",
        "subsample",
        "subsample_length",
        "U_regularizer",
        "W_constraint",
        "W_regularizer",
    }
)
_ARGUMENTS_2 = frozenset({"batch_input_shape", "time_major"})  # of 2, where a module is named
_SAME_IN_BOTH = frozenset({"Highway", "MaxoutDense"})  # keras/legacy/layers.py, 2.2.4, keeps the arguments of Keras 1
_INITIALIZERS = frozenset({"alpha_initializer", "beta_initializer", "embeddings_initializer", "kernel_initializer"})


def generation_of(config: Any, version: Any = None) -> Generation:
    """The generation of Keras that wrote the config of a model or layer; KERAS_3 where nothing in it tells.

    `version` is what the file that holds it says, which comes before all else.
    """
    by_file = _stated(version)
    if by_file is not None or not isinstance(config, Mapping):
        return Generation.KERAS_3 if by_file is None else by_file
    if "class_name" not in config:
        return Generation.KERAS_0 if _is_flat(config) else Generation.KERAS_3
    stated = _stated(config.get("keras_version"))
    if stated is not None:
        return stated
    told = [found for entry in _entries(config) if (found := _told(entry)) is not None]
    if Generation.KERAS_1 in told:
        return Generation.KERAS_1
    if told:
        return told[0]
    return Generation.KERAS_3 if "module" in config else Generation.KERAS_2


def _is_flat(config: Mapping[str, Any]) -> bool:
    """Whether a config has the class of a model in `name`, as Keras 0 writes it."""
    name = config.get("name")
    return isinstance(name, str) and name in _OLD_NAMES and "config" not in config


def _stated(version: Any) -> Generation | None:
    """The generation that a version such as "2.2.4-tf" is of."""
    digit = version[:1] if isinstance(version, str) and version[1:2] in (".", "") else ""
    number = scalars.digits(digit)
    return Generation(number) if number is not None and number < 4 else None


def _entries(config: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """The entries of the layers in a config, itself first, so many at most."""
    stack: list[tuple[Any, int]] = [(config, 0)]
    for _ in range(MAX_ENTRIES):
        if not stack:
            return
        entry, depth = stack.pop()
        if not isinstance(entry, Mapping) or depth > MAX_DEPTH:
            continue
        yield entry
        stack.extend((held, depth + 1) for held in reversed(_held(entry.get("config"))))


def _held(config: Any) -> list[Any]:
    """What may be entries of layers inside the config of another."""
    if isinstance(config, list):
        return config[:MAX_ENTRIES]
    if not isinstance(config, Mapping):
        return []
    lists = [config[key] for key in ("layers", "cells") if isinstance(config.get(key), list)]
    return [*(config.get(key) for key in ("layer", "cell")), *(item for found in lists for item in found[:MAX_ENTRIES])]


def _told(entry: Mapping[str, Any]) -> Generation | None:
    """What the entry of one layer tells of its generation."""
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
    """The generation that the first call of a layer tells: an object, or lists of three values or of four."""
    nodes = entry.get("inbound_nodes")
    if not isinstance(nodes, list) or not nodes:
        return None
    if isinstance(nodes[0], Mapping) and "args" in nodes[0]:
        return Generation.KERAS_3
    first = nodes[0][0] if isinstance(nodes[0], list) and nodes[0] else None
    if not isinstance(first, list) or not first or not isinstance(first[0], str):
        return None
    return {3: Generation.KERAS_1, 4: Generation.KERAS_2}.get(len(first))
