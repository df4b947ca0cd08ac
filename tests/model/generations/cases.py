"""The answers of genuine Keras 1.2, 2.2 and 2.15 for their layers: the cases of fixtures/dialects, put together
again."""

import json
from dataclasses import dataclass
from typing import Any

from ckpttool.model.generations.generation import Generation
from ckpttool.model.sizes import Inputs, Shape
from tests.samples import FIXTURES

FILES = {
    "keras1.2": Generation.KERAS_1,
    "keras2.2": Generation.KERAS_2,
    "keras2.15": Generation.KERAS_2,
}


@dataclass(frozen=True)
class Case:
    """A layer in one setting: its entry, its inputs, and (name, shape, trainable) of what is stored of it."""

    version: str
    number: int
    entry: dict[str, Any]
    inputs: Inputs
    weights: tuple[tuple[str, Shape, bool], ...]

    @property
    def generation(self) -> Generation:
        """The generation of Keras that said so."""
        return FILES[self.version]

    @property
    def class_name(self) -> str:
        """The class of the layer."""
        return str(self.entry["class_name"])

    @property
    def classes(self) -> set[str]:
        """The classes of the layer and of all objects in its config."""
        return set(_classes(self.entry))

    def __str__(self) -> str:
        return f"{self.version}-{self.number}-{self.class_name}"


def _classes(value: Any) -> list[str]:
    if isinstance(value, dict):
        own = [value["class_name"]] if isinstance(value.get("class_name"), str) else []
        return own + [name for item in value.values() for name in _classes(item)]
    return [name for item in value for name in _classes(item)] if isinstance(value, list) else []


def cases(version: str) -> list[Case]:
    """All cases of one version of Keras."""
    file = json.loads((FIXTURES / "dialects" / f"{version}.json").read_text())
    return [
        Case(
            version,
            number,
            {"class_name": class_name, "config": restored_config(class_name, config, file)},
            tuple(map(tuple, inputs)),
            tuple(map(weight, weights)),
        )
        for number, (class_name, config, inputs, weights) in enumerate(file["cases"])
    ]


def restored_config(class_name: str, config: Any, file: dict[str, Any]) -> Any:
    """A config of this class, with what the first of its class has alike."""
    if isinstance(config, dict):
        left_out = config.get("gone", [])
        config = {**file["firsts"][class_name], **config}
        config = {key: value for key, value in config.items() if key not in ("gone", *left_out)}
    return restored(config, file)


def restored(value: Any, file: dict[str, Any], key: str = "") -> Any:
    """A value of a config, and all that it holds, in full."""
    if value == "=":
        return file["common"][key]
    if isinstance(value, list):
        return [restored(item, file) for item in value]
    if not isinstance(value, dict):
        return value
    if isinstance(value.get("class_name"), str) and "config" in value:
        value = {**value, "config": restored_config(value["class_name"], value["config"], file)}
        rest = {name: restored(item, file, name) for name, item in value.items() if name != "config"}
        return {**rest, "config": value["config"]}
    return {name: restored(item, file, name) for name, item in value.items()}


def weight(text: str) -> tuple[str, Shape, bool]:
    """A weight: "dense_1/kernel:0 4,5", with "!" before it where it is not trainable."""
    name, _, sizes = text.removeprefix("!").rpartition(" ")
    shape = tuple(int(size) for size in sizes.split(",") if size)
    return name.removesuffix(":0").rpartition("/")[2], shape, not text.startswith("!")


ALL = [case for version in FILES for case in cases(version)]
