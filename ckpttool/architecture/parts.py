"""The architecture of a live model: what its config says, together with the objects that the model itself told of."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from ckpttool.architecture.config import Architecture, Layer, read_architecture
from ckpttool.architecture.layouts import layers_in
from ckpttool.architecture.slots import Part


def with_part(config: Any, part: Part) -> Architecture:
    """What a config says, with the objects of a live model and the layers that no config lists."""
    read = read_architecture(config) or Architecture(part.class_name, part.name, ())
    layers = tuple(_joined(read.layers, tuple(_layers(part))))
    return replace(read, name=read.name or part.name, layers=layers, config=config, part=part)


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
