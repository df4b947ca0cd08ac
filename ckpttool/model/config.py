"""The layers of a model, read from its config: names, classes, nesting, and the places of their weights.

The dialects differ in structure: Keras 3 and 2 write `{"class_name", "config": {"name", "layers"}}`,
Sequential models up to 2.2.2 a bare list, Keras 0.x the class in `name`.
"""

import itertools
import json
from collections.abc import Container, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from ckpttool.escape import brief
from ckpttool.io.facts import Facts
from ckpttool.model import numpy_values
from ckpttool.model.class_names import ALIASES, snake_case
from ckpttool.model.generations.generation import Generation, generation_of
from ckpttool.model.generations.own_classes import marked, unmarked
from ckpttool.model.sizes import Shape, read_shape
from ckpttool.paths import join_path

if TYPE_CHECKING:
    from ckpttool.model.slots import Part

MAX_DEPTH = 64
MAX_LAYERS = 100_000

_WRAPPERS = ("model_config", "model", "keras_model")
_LISTS_ITS_INPUTS = frozenset({"Merge"})  # Keras 1: its `layers` are its inputs, not inner layers


@dataclass(frozen=True, slots=True)
class Layer:
    """One layer of a config. `path` joins the layer names down to it, `place` is its path in the layout of
    `.weights.h5`.

    `entry` is the part of the config that describes the layer, unchanged.
    """

    path: str
    name: str
    class_name: str
    trainable: bool
    place: tuple[str, ...]
    input_shape: Shape | None = None
    is_model: bool = False
    entry: Any = field(default=None, repr=False, compare=False)

    __repr__ = brief


@dataclass(frozen=True, slots=True, repr=False)
class Architecture:
    """The layers of a model in the order of its config, nested ones behind the model that contains them.

    `inputs` and `outputs` are (layer name, shape) pairs, the shape None where the config does not state it. `config` is
    the config that it was read from, often that of a checkpoint, and not to be changed; `version` is that of the Keras
    that wrote it, where a file says so. `part` is the tree of objects and weights of a live model, None where there was
    only a config; `unwritten` says why the config of such a model cannot be saved, empty where it can.
    `training_config` are the compile settings that older Keras wrote beside the config.
    """

    class_name: str
    name: str
    layers: tuple[Layer, ...]
    inputs: tuple[tuple[str, Shape | None], ...] = ()
    outputs: tuple[tuple[str, Shape | None], ...] = ()
    config: Any = field(default=None, compare=False)
    part: "Part | None" = field(default=None, compare=False)
    unwritten: str = ""
    version: Any = field(default=None, compare=False)
    training_config: Any = field(default=None, compare=False)
    facts: Facts = field(default_factory=Facts, init=False, compare=False)

    @classmethod
    def from_model(cls, model: Any) -> "Architecture":
        """The architecture of a live Keras 3 model: that of its config, and the weights of custom layers and subclassed
        models, which no config describes. Raises ModelError, also for a model that is not built."""
        from ckpttool.model.live.objects import described  # the one module that imports Keras

        return with_part(*described(model))

    def __repr__(self) -> str:
        return f"<Architecture {self.class_name} {self.name!r}: {len(self.layers):,} layers>"

    @property
    def generation(self) -> Generation:
        """The generation of Keras that wrote the config."""
        return self.facts.once("generation", generation_of, self.config, self.version)

    def by_path(self) -> dict[str, Layer]:
        """The layers by their `path`."""
        return {layer.path: layer for layer in self.layers}


def read_architecture(config: Any, version: str | None = None) -> Architecture | None:
    """The architecture that a config describes, or None where it is no config of a model with layers; `version` is the
    version of Keras that the file around the config states."""
    return _read(marked(_unwrapped(config), version), version)


def _read(config: Any, version: str | None) -> Architecture | None:
    """The architecture of a config in which own classes are marked."""
    class_name = _class_name(config)
    if class_name is None:
        return None
    entries = _entries(config)
    if entries is None:
        return Architecture(class_name, _name(config), (), config=config, version=version)
    layers = tuple(itertools.islice(_walk(entries, "", (), True, 0), MAX_LAYERS))
    shapes = _tensor_shapes(config)
    declared = {layer.name: layer.input_shape for layer in layers if "/" not in layer.path}
    inputs = tuple((name, declared.get(name)) for name in _ends(config, layers, "input_layers"))
    outputs = tuple((name, shapes.get(name)) for name in _ends(config, layers, "output_layers"))
    return Architecture(class_name, _name(config), layers, inputs, outputs, config, version=version)


def with_config(architecture: Architecture, config: Any) -> Architecture | None:
    """The architecture that another config describes in the place of its own; None where it describes none."""
    read = read_architecture(config, architecture.version)
    return None if read is None else replace(read, training_config=architecture.training_config)


def with_keras_classes(architecture: Architecture, names: Container[str]) -> Architecture:
    """The architecture with the classes of these names as those of Keras; the same object where none is an own one."""
    config = unmarked(architecture.config, names)
    read = None if config is architecture.config else _read(config, architecture.version)
    return architecture if read is None else replace(read, training_config=architecture.training_config)


def with_part(config: Any, part: "Part", unwritten: str = "") -> Architecture:
    """The architecture of a config, with the objects of a live model and the layers that no config lists."""
    read = read_architecture(config) or Architecture(part.class_name, part.name, ())
    layers = tuple(_with_live(read.layers, tuple(_live_layers(part))))
    return replace(read, name=read.name or part.name, layers=layers, config=config, part=part, unwritten=unwritten)


def _live_layers(model: "Part") -> Iterator[Layer]:
    """The layers among the objects of a model; one below a frozen layer is frozen too."""
    from ckpttool.model.layouts import layers_in  # not needed where there is only a config

    frozen: list[str] = []
    for path, place, part in layers_in(model):
        if not part.trainable:
            frozen.append(f"{path}/")
        trainable = model.trainable and not f"{path}/".startswith(tuple(frozen))
        name = path.rpartition("/")[2]
        yield Layer(path, name, part.class_name, trainable, tuple(place.split("/")), None, part.is_model)


def _with_live(listed: tuple[Layer, ...], live: tuple[Layer, ...]) -> Iterator[Layer]:
    """The layers that the config lists, each followed by inner layers that only the live model has."""
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


def _unwrapped(config: Any) -> Any:
    """The config itself where it is encoded twice or wrapped as `{"model": {...}}` or `{"model_config": {...}}`."""
    for _ in range(4):
        if isinstance(config, str):
            config = _parsed(config)
        elif isinstance(config, dict) and "class_name" not in config:
            inner = next((config[key] for key in _WRAPPERS if key in config), None)
            if inner is None:
                return config
            config = inner
        else:
            return config
    return config


def _parsed(text: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None


def _class_name(entry: Any) -> str | None:
    """The class of a layer or model; Keras 0.x writes it in `name`."""
    if not isinstance(entry, dict):
        return None
    name = entry.get("class_name", entry.get("name") if "layers" in entry or "config" not in entry else None)
    return name if isinstance(name, str) else None


def _inner(entry: dict[str, Any]) -> Any:
    """The arguments of a layer: the dict (or, for early Sequential models, list) below `config`."""
    return entry.get("config", entry)


def _entries(entry: Any) -> list[Any] | None:
    """The configs of the layers that a model's config lists, or None where it is no model."""
    if not isinstance(entry, dict) or str(entry.get("class_name")) in _LISTS_ITS_INPUTS:
        return None
    inner = _inner(entry)
    if isinstance(inner, dict):
        inner = inner.get("layers")
    return inner if isinstance(inner, list) else None


def _name(entry: dict[str, Any]) -> str:
    """The name of a layer or model: beside its class where a graph lists it, else in its config; Keras 0.x has it in
    `custom_name`."""
    name = entry.get("name") if "class_name" in entry else entry.get("custom_name")
    if not isinstance(name, str):
        inner = _inner(entry)
        name = inner.get("name") if isinstance(inner, dict) else None
    return name if isinstance(name, str) else ""


def _walk(entries: list[Any], prefix: str, place: tuple[str, ...], trainable: bool, depth: int) -> Iterator[Layer]:
    """The layers of one model, each followed by those nested in it."""
    used: dict[str, int] = {}
    for entry in entries:
        class_name = _class_name(entry)
        if class_name is None or depth > MAX_DEPTH:
            continue
        name = _name(entry)
        inner = _inner(entry)
        own = trainable and not (isinstance(inner, dict) and inner.get("trainable") is False)
        own_place = (*place, "layers", _unique(snake_case(ALIASES.get(class_name, class_name)), used))
        path = join_path(prefix, name)
        nested = _entries(entry)
        yield Layer(path, name, class_name, own, own_place, _input_shape(inner), nested is not None, entry)
        if nested is not None:
            yield from _walk(nested, path, own_place, own, depth + 1)


def _unique(name: str, used: dict[str, int]) -> str:
    """The name, numbered from its second use in one container on (`_get_unique_name`, saving_lib.py, 3.15)."""
    count = used.get(name, 0)
    used[name] = count + 1
    return f"{name}_{count}" if count else name


def _input_shape(inner: Any) -> Shape | None:
    """The input shape that a layer's config declares, batch axis included."""
    if not isinstance(inner, dict):
        return None
    whole = inner.get("batch_shape", inner.get("batch_input_shape"))
    if whole is None and isinstance(inner.get("input_shape"), list):
        whole = [None, *inner["input_shape"]]
    return read_shape(numpy_values.plain(whole))


def _ends(config: Any, layers: tuple[Layer, ...], key: str) -> tuple[str, ...]:
    """The names of the layers at one end of a model: those its config names under `key`, or a Sequential's own."""
    inner = _inner(config)
    if isinstance(inner, dict) and key in inner:
        return tuple(_layer_names(inner[key]))
    top = [layer.name for layer in layers if "/" not in layer.path]
    return tuple(top[:1] if key == "input_layers" else top[-1:])


def _layer_names(references: Any) -> Iterator[str]:
    """The layer names in a (nested) list of references such as `["input_1", 0, 0]`."""
    stack = [references]
    while stack:
        value = stack.pop()
        if isinstance(value, list) and len(value) == 3 and isinstance(value[0], str) and isinstance(value[1], int):
            yield value[0]
        elif isinstance(value, list | dict):
            stack.extend(reversed(list(value.values()) if isinstance(value, dict) else value))


def mappings_in(config: Any) -> Iterator[Mapping[str, Any]]:
    """All mappings in a config, at any depth, each before those in it."""
    stack = [config]  # no recursion: a config from a stranger may be deeper than Python's stack
    while stack:
        value = stack.pop()
        if isinstance(value, Mapping):
            yield value
            stack.extend(reversed(list(value.values())))
        elif isinstance(value, list):
            stack.extend(reversed(value))


def _tensor_shapes(config: Any) -> dict[str, Shape]:
    """The shapes of layer outputs that the graph of a Keras 3 config states, by layer name (first output only)."""
    shapes: dict[str, Shape] = {}
    stack = [config]
    while stack:
        value = stack.pop()
        if isinstance(value, dict) and value.get("class_name") == "__keras_tensor__":
            _note_tensor(value.get("config"), shapes)
        elif isinstance(value, list | dict):
            stack.extend(value.values() if isinstance(value, dict) else value)
    return shapes


def _note_tensor(tensor: Any, shapes: dict[str, Shape]) -> None:
    if not isinstance(tensor, dict):
        return
    history, shape = tensor.get("keras_history"), read_shape(tensor.get("shape"))
    if shape is not None and isinstance(history, list) and history[1:] == [0, 0] and isinstance(history[0], str):
        shapes.setdefault(history[0], shape)
