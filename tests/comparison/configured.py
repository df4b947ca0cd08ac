"""Configs to compare that are in no file, and small models to make them of."""

import copy
from collections.abc import Iterable
from dataclasses import dataclass, field, fields
from typing import Any

from ckpttool.checkpoint import Producer
from ckpttool.comparison.change import ConfigChange
from ckpttool.comparison.configs import config_changes
from ckpttool.io.facts import Facts


@dataclass(frozen=True)
class Configs:
    """The configs of a checkpoint."""

    config: Any
    training_config: Any = None
    producer: Producer = field(default_factory=Producer)
    facts: Facts = field(default_factory=Facts, init=False, repr=False)


def dense(name: str, feeds: str | Iterable[str] = "", **config: Any) -> dict[str, Any]:
    """A Dense layer of 3 units, in a Functional model with what feeds it."""
    return layer("Dense", name, feeds, **{"units": 3, **config})


def layer(class_name: str, name: str, feeds: str | Iterable[str] = "", **config: Any) -> dict[str, Any]:
    """A layer of Keras 3; several feeds go in as a list."""
    sources = [tensor(feeds)] if isinstance(feeds, str) else [[tensor(name) for name in feeds]]
    calls = [{"args": sources, "kwargs": {}}] if feeds else []
    entry = {"module": "keras.layers", "class_name": class_name, "config": {"name": name, **config}}
    return {**entry, "registered_name": None, "name": name, "inbound_nodes": calls}


def tensor(source: str, node: int = 0, output: int = 0) -> dict[str, Any]:
    """An output of a layer as Keras 3 writes it in a call."""
    return {"class_name": "__keras_tensor__", "config": {"shape": [None, 3], "keras_history": [source, node, output]}}


def image(name: str = "x", size: int = 3) -> dict[str, Any]:
    """The input of a model."""
    return layer("InputLayer", name, batch_shape=[None, size])


def functional(*layers: dict[str, Any], name: str = "m", outputs: Any = None) -> dict[str, Any]:
    """A Functional model of Keras 3, of its first layer's output to the last one's."""
    ends = {"input_layers": [layers[0]["name"], 0, 0], "output_layers": outputs or [layers[-1]["name"], 0, 0]}
    config = {"name": name, "trainable": True, "layers": list(layers), **ends}
    return {"module": "keras.src.models.functional", "class_name": "Functional", "config": config}


def sequential(*layers: dict[str, Any], name: str = "m") -> dict[str, Any]:
    """A Sequential model of Keras 3."""
    entries = [{key: value for key, value in entry.items() if key not in ("name", "inbound_nodes")} for entry in layers]
    return {"module": "keras", "class_name": "Sequential", "config": {"name": name, "layers": entries}}


def nested(model: dict[str, Any], feeds: str) -> dict[str, Any]:
    """A model as a layer of another."""
    name = model["config"]["name"]
    return {**model, "name": name, "inbound_nodes": layer("Dense", name, feeds)["inbound_nodes"]}


def changes(a: Any, b: Any, renamed: dict[str, str] | None = None) -> list[tuple[str, str, Any, Any, str]]:
    """The changes between two models' configs: layer, key, old, new, kind. They are tried backwards, too."""
    differences = both_ways(Configs(a), Configs(b), renamed or {})
    return [
        (difference.layer, difference.key, difference.old, difference.new, difference.kind)
        for difference in differences
    ]


def texts(changes: Iterable[ConfigChange]) -> list[str]:
    """The changes, whole and sorted, as texts: NaN is itself in them."""
    return sorted(repr([getattr(change, field.name) for field in fields(change)]) for change in changes)


def both_ways(a: Configs, b: Configs, renamed: dict[str, str] | None = None) -> tuple[ConfigChange, ...]:
    """The changes, after a look from the other side and at each side alone; no input is modified."""
    before = copy.deepcopy((a, b))
    differences = config_changes(a, b, renamed or {})
    back = config_changes(b, a, {new: old for old, new in (renamed or {}).items()})
    assert texts(change.inverted() for change in back) == texts(differences)
    assert config_changes(a, a) == config_changes(b, b) == ()
    assert repr(before) == repr((a, b))
    return differences
