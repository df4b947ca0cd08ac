"""The architecture of a live model: what its config says, together with the objects that the model itself told of, as a
value and as text."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import asdict, replace
from typing import Any

from ckpttool.architecture.config import Architecture, Layer, read_architecture
from ckpttool.architecture.layouts import layers_in
from ckpttool.architecture.slots import Part, Slot


def with_part(config: Any, part: Part, unwritten: str = "") -> Architecture:
    """What a config says, with the objects of a live model and the layers that no config lists."""
    read = read_architecture(config) or Architecture(part.class_name, part.name, ())
    layers = tuple(_joined(read.layers, tuple(_layers(part))))
    return replace(read, name=read.name or part.name, layers=layers, config=config, part=part, unwritten=unwritten)


def to_json(architecture: Architecture) -> str:
    """The architecture of a live model as text, for another process."""
    assert architecture.part is not None
    told = {"config": architecture.config, "part": asdict(architecture.part), "unwritten": architecture.unwritten}
    return json.dumps(told)


def from_json(value: Mapping[str, Any]) -> Architecture:
    """The architecture that `to_json` wrote."""
    return with_part(value["config"], _part(value["part"]), value["unwritten"])


def _part(value: Mapping[str, Any]) -> Part:
    told = {
        "slots": tuple(_slot(slot) for slot in value["slots"]),
        "children": tuple((at, _part(child)) for at, child in value["children"]),
        "write_order": tuple(value["write_order"]),
        "aliases": tuple(value["aliases"]),
    }
    return Part(**{**value, **told})


def _slot(value: Mapping[str, Any]) -> Slot:
    return Slot(**{**value, "shape": None if value["shape"] is None else tuple(value["shape"])})


def _layers(model: Part) -> Iterator[Layer]:
    """The layers among the objects of a model; one below a frozen layer is frozen too."""
    frozen: list[str] = []
    for path, place, part in layers_in(model):
        if not part.trainable:
            frozen.append(f"{path}/")
        trainable = model.trainable and not f"{path}/".startswith(tuple(frozen))
        name = path.rpartition("/")[2]
        yield Layer(path, name, part.class_name, trainable, tuple(place.split("/")), None, part.is_model)


def _joined(listed: tuple[Layer, ...], live: tuple[Layer, ...]) -> Iterator[Layer]:
    """The layers that the config lists, each followed by those in it that only the model told."""
    known = {layer.place for layer in listed}
    more: dict[tuple[str, ...], list[Layer]] = {}
    for layer in live:
        if layer.place not in known:
            ends = range(len(layer.place) - 1, 0, -1)
            owner = next((layer.place[:end] for end in ends if layer.place[:end] in known), ())
            more.setdefault(owner, []).append(layer)
    for layer in listed:
        yield layer
        yield from more.get(layer.place, ())
    yield from more.get((), ())
