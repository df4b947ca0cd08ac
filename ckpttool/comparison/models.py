"""A model's config as what is compared: its layers, by class and arguments, and how they are connected."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

from ckpttool.comparison.graphs import Feeds, Source, calls_of, feeds_of, first_calls, sources_in
from ckpttool.comparison.objects import Thing, meaning
from ckpttool.errors import ConfigError
from ckpttool.model.arguments import Args
from ckpttool.model.class_names import snake_case
from ckpttool.model.config import Architecture
from ckpttool.model.generations.generation import Generation
from ckpttool.model.generations.normalization import normalized
from ckpttool.model.graph import Call, Tensor, read_references
from ckpttool.model.layers.table import MODELS
from ckpttool.model.operations.table import OPERATIONS
from ckpttool.model.shape_inference import steps_of
from ckpttool.model.sizes import Inputs, is_integer
from ckpttool.model.spec import normalized_config
from ckpttool.model.stored import Configured, architecture_of

MAX_DEPTH = 64

_PARTS = frozenset({"build_input_shape", "input_layers", "layers", "output_layers"})


@dataclass(frozen=True)
class Node:
    """A layer of a model. `chain` is its chain of names, `number` tells layers of one name apart, `entry` is its part
    of the config, `inner` the model that it is, None for other layers."""

    chain: str
    name: str
    number: int
    thing: Thing
    entry: Mapping[str, Any] = field(repr=False)
    inner: "Model | None" = None

    @property
    def is_operation(self) -> bool:
        """Whether it is an operation in the graph, such as `keras.ops.add`, and no layer."""
        if "module" not in self.entry:  # legacy files of Keras 3 name none; a layer says whether it is trainable
            return self.thing.class_name in OPERATIONS and "trainable" not in self.thing.config and not self.thing.old
        module = self.entry["module"]
        return isinstance(module, str) and module.startswith(("keras.src.ops", "keras.ops"))

    @property
    def kind(self) -> str:
        """The class, with what tells an operation or the user's own class from a layer of that name."""
        return f"ops.{self.thing.class_name}" if self.is_operation else self.thing.title


@dataclass(frozen=True)
class Model:
    """A model: its own arguments, its layers in order, and its config. `old` says that Keras before 3 wrote it."""

    thing: Thing
    nodes: tuple[Node, ...]
    config: Mapping[str, Any] = field(repr=False)

    @property
    def name(self) -> str:
        """The name that its config states, empty where there is none."""
        found = self.config.get("name")
        return found if isinstance(found, str) else ""

    @property
    def output_names(self) -> tuple[str, ...]:
        """What losses and metrics call its outputs: by their keys, or by the layers that they come from."""
        ends = self.ends("output_layers")
        if isinstance(ends, Mapping):
            return tuple(sorted(ends))
        return tuple(source.layer for source in sources_in([ends] if isinstance(ends, Source) else ends))

    @property
    def is_chain(self) -> bool:
        """Whether each layer takes what the one before gives."""
        return "output_layers" not in self.config and "input_layers" not in self.config

    @cached_property
    def calls(self) -> Mapping[str, tuple[Call, ...] | None]:
        """The calls of each layer, None where they cannot be read."""
        return {node.name: calls_of(node.entry) for node in reversed(self.nodes)}

    @cached_property
    def first(self) -> Mapping[str, int]:
        """The number of the first call of those layers for which that is not 0, which nested models are."""
        if all(node.inner is None for node in self.nodes):
            return {}
        ends = (tensor for key in ("input_layers", "output_layers") for tensor in self._references(key))
        return first_calls(self.calls, ends, frozenset(node.name for node in self.nodes if node.inner is not None))

    def _references(self, key: str) -> tuple[Tensor, ...]:
        try:
            return read_references(self.config.get(key))
        except (RecursionError, ValueError):
            return ()

    @cached_property
    def feeds(self) -> Mapping[str, tuple[Feeds, ...] | None]:
        """What goes into each layer, by call; None where that cannot be read."""
        if self.is_chain:
            return dict(self._chained())
        return {node.name: self._feeds(node) for node in reversed(self.nodes)}

    def _feeds(self, node: Node) -> tuple[Feeds, ...] | None:
        calls = self.calls[node.name]
        if calls is None:
            return None
        return tuple(feeds_of(node.thing, call, self.first, node.is_operation) for call in calls)

    def _chained(self) -> Iterator[tuple[str, tuple[Feeds, ...]]]:
        before = ""
        for node in self.nodes:
            yield node.name, () if node.thing.class_name == "InputLayer" or not before else ({"": Source(before)},)
            before = node.name

    def ends(self, key: str) -> Any:
        """What goes into the model (`input_layers`) or comes out of it (`output_layers`), with `Source` for tensors."""
        if not self.is_chain:
            return _structure(self.config.get(key), self.first, 0)
        at = self.nodes[:1] if key == "input_layers" else self.nodes[-1:]
        return next((Source(node.name) for node in at), None)

    @cached_property
    def implied(self) -> frozenset[str]:
        """The operations that make nothing but the masks of other layers, which old Keras does not write."""
        takers: dict[str, set[tuple[str, bool]]] = {}
        for name, calls in self.feeds.items():
            for feeds in calls or ():
                for key, value in feeds.items():
                    for source in sources_in(value):
                        takers.setdefault(source.layer, set()).add((name, key.endswith("mask")))
        kept = {source.layer for key in ("input_layers", "output_layers") for source in sources_in(self.ends(key))}
        found = set[str]()
        for node in reversed(self.nodes):  # in the order of a config what takes comes after what gives
            taking = takers.get(node.name, ()) if node.is_operation and node.name not in kept else ()
            if taking and all(as_mask or name in found for name, as_mask in taking):
                found.add(node.name)
        return frozenset(found)

    def rank(self, node: Node) -> int | None:
        """How many axes the first input of a layer has, as far as the config tells."""
        shapes = Args.of(node.entry).built if "class_name" in node.entry else ()
        shape = next(iter(shapes or self._inputs.get(node.name, ())), None)
        return None if shape is None else len(shape)

    @cached_property
    def _inputs(self) -> Mapping[str, Inputs]:
        """The shapes that each layer is built for, nothing where the config makes no sense."""
        entry = {"class_name": "Sequential" if self.is_chain else "Functional", "config": self.config}
        try:
            return {step.args.name: step.inputs for step in steps_of(Args.of(entry))}
        except ConfigError:
            return {}

    def without_masks(self) -> "Model":
        """The same model as old Keras writes it, without the operations that make masks."""
        if not any(node.is_operation for node in self.nodes):
            return self
        gone = self.implied
        kept = Model(self.thing, tuple(node for node in self.nodes if node.name not in gone), self.config)
        feeds = {name: _unmasked(calls, gone) for name, calls in self.feeds.items() if name not in gone}
        kept.__dict__.update(first=self.first, feeds=feeds)  # the values of cached properties
        return kept


def _unmasked(calls: tuple[Feeds, ...] | None, gone: frozenset[str]) -> tuple[Feeds, ...] | None:
    if calls is None:
        return None
    return tuple(
        {key: value for key, value in feeds.items() if not any(source.layer in gone for source in sources_in(value))}
        for feeds in calls
    )


def _structure(value: Any, first: Mapping[str, int], depth: int) -> Any:
    """References in lists and dicts, with `Source` in their place and lists of one as what they hold."""
    if isinstance(value, list) and len(value) == 3 and isinstance(value[0], str) and all(map(is_integer, value[1:])):
        return Source(value[0], value[1] - first.get(value[0], 0), value[2])
    if depth > MAX_DEPTH:
        return value
    if isinstance(value, list):
        below = [_structure(item, first, depth + 1) for item in value]
        return below[0] if len(below) == 1 else below
    if isinstance(value, Mapping):
        return {key: _structure(item, first, depth + 1) for key, item in value.items()}
    return value


def model_of(checkpoint: Configured) -> Model | None:
    """The model that a checkpoint states, in the words of Keras 3; None where it states none."""
    return checkpoint.facts.once("compared model", _stated_model, checkpoint)


def _stated_model(checkpoint: Configured) -> Model | None:
    architecture = architecture_of(checkpoint)
    if architecture is None or not isinstance(architecture.config, Mapping):
        return None
    thing = _thing(_normalized(architecture), architecture.generation is not Generation.KERAS_3)
    return _model(thing, "", 0)


def _normalized(architecture: Architecture) -> Mapping[str, Any]:
    """The config in the words of Keras 3; a model of an own class that lists its layers counts as one of Keras's. What
    cannot be brought into them stays as it is."""
    config = architecture.config
    inner, class_name = config.get("config"), config.get("class_name")
    is_own = class_name not in (*MODELS, None) and isinstance(inner, Mapping) and "layers" in inner
    try:
        return _of_own_class(architecture) if is_own else normalized_config(architecture)
    except ConfigError:
        return config  # type: ignore[no-any-return]


def _of_own_class(architecture: Architecture) -> Mapping[str, Any]:
    config = architecture.config
    plain = {"class_name": "Functional" if "output_layers" in config["config"] else "Sequential", "module": "keras"}
    own = {key: config[key] for key in ("class_name", "module") if key in config}
    return {**normalized({**config, **plain}, architecture.generation), **own}


def held_model(thing: Thing, depth: int) -> Model:
    """The model that a layer holds which is none itself, such as TimeDistributed, so many models deep; the chains of
    names in it begin there."""
    return _model(thing, "", depth)


def _model(thing: Thing, prefix: str, depth: int) -> Model:
    config, old = thing.config, thing.old
    own = {key: value for key, value in config.items() if key not in _PARTS}
    entries = config.get("layers")
    found = Model(replace(thing, config=own), (), config)
    nodes = tuple(_nodes(entries if isinstance(entries, list) else [], old, prefix, depth))
    return replace(found, nodes=(*_stated_input(found, nodes, old, prefix), *nodes))


def _nodes(entries: list[Any], old: bool, prefix: str, depth: int) -> Iterator[Node]:
    counts: dict[str, int] = {}
    for entry in entries:
        thing = _thing(entry, old)
        name = _name(entry, thing)
        number = counts[name] = counts.get(name, 0) + 1
        chain = f"{prefix}/{name}" if prefix else name
        inner = None
        if depth < MAX_DEPTH and thing.is_model:
            inner = _model(thing, chain, depth + 1)
            thing = inner.thing
        yield Node(chain, name, number, thing, entry if isinstance(entry, Mapping) else {}, inner)


def _stated_input(model: Model, nodes: tuple[Node, ...], old: bool, prefix: str) -> Iterator[Node]:
    """The input of a Sequential model that states its shape, or begins with a model that does, and has no layer for
    it; Keras 3 always writes one."""
    if not model.is_chain or not nodes or nodes[0].thing.class_name == "InputLayer":
        return
    shape = model.config.get("build_input_shape")
    first = nodes[0].inner.nodes[:1] if nodes[0].inner is not None else ()
    shapes = [shape, *(node.thing.config.get("batch_shape") for node in first)]
    stated = next((one for one in shapes if one is not None), None)
    if stated is not None:
        thing = Thing("layers", "InputLayer", {"name": "input_layer", "batch_shape": stated}, old=old)
        yield Node(f"{prefix}/input_layer" if prefix else "input_layer", "input_layer", 1, thing, {})


def _thing(entry: Any, old: bool) -> Thing:
    """The object that an entry of a layer describes; one of no class where it describes none."""
    found = meaning("layers", {"config": {}, **entry}, old) if isinstance(entry, Mapping) else None
    return found if isinstance(found, Thing) else Thing("layers", "", {"value": entry}, True, old)


def _name(entry: Any, thing: Thing) -> str:
    """The name under which a graph refers to a layer."""
    beside = entry.get("name") if isinstance(entry, Mapping) and "class_name" in entry else None
    found = beside if isinstance(beside, str) else thing.config.get("name")
    return found if isinstance(found, str) else snake_case(thing.class_name)
