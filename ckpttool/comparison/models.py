"""A model's config in the form in which it is compared: its layers, by class and arguments, and their connections."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

from ckpttool.comparison.graphs import Feeds, Source, calls_of, feeds_of, sources_in
from ckpttool.comparison.objects import ConfigObject, meaning
from ckpttool.errors import ConfigError
from ckpttool.model.architecture_parts import normalized_config
from ckpttool.model.arguments import Args
from ckpttool.model.checkpoint_architecture import Configured, architecture_of
from ckpttool.model.class_names import INPUT_LAYER, class_of_model, snake_case
from ckpttool.model.config import Architecture
from ckpttool.model.entries import is_operation
from ckpttool.model.generations.generation import Generation
from ckpttool.model.generations.normalization import normalized
from ckpttool.model.graph import Call, Tensor, first_calls, read_references
from ckpttool.model.layers.table import MODELS
from ckpttool.model.shape_inference import steps_of
from ckpttool.model.sizes import Inputs, is_integer
from ckpttool.paths import join_path

MAX_DEPTH = 64

_PARTS = frozenset({"build_input_shape", "input_layers", "layers", "output_layers"})


@dataclass(frozen=True)
class Node:
    """A layer of a model. `chain` is its chain of names; `number` counts layers of one name.

    `obj` has its class and arguments, `entry` is its part of the config. `inner` is the nested model, None for any
    other layer.
    """

    chain: str
    name: str
    number: int
    obj: ConfigObject
    entry: Mapping[str, Any] = field(repr=False)
    inner: "Model | None" = None

    @property
    def is_operation(self) -> bool:
        """Whether the node is an operation, such as `keras.ops.add`, and no layer."""
        return is_operation(self.entry)

    @property
    def kind(self) -> str:
        """The class, marked where it is an operation, or the user's own class with the name of a built-in one."""
        return f"ops.{self.obj.class_name}" if self.is_operation else self.obj.title


@dataclass(frozen=True)
class Model:
    """A model: `obj` has its class and its own arguments, `nodes` are its layers in order, `config` is its config.
    `whole` is the model with the operations that compute masks, where this is the same without them."""

    obj: ConfigObject
    nodes: tuple[Node, ...]
    config: Mapping[str, Any] = field(repr=False)
    whole: "Model | None" = field(default=None, repr=False, compare=False)

    @property
    def name(self) -> str:
        """The name in the config; empty where there is none."""
        name = self.config.get("name")
        return name if isinstance(name, str) else ""

    @property
    def output_names(self) -> tuple[str, ...]:
        """The names of the outputs for losses and metrics: their keys, else the layers that they come from."""
        ends = self.ends("output_layers")
        if isinstance(ends, Mapping):
            return tuple(sorted(ends))
        return tuple(source.layer for source in sources_in([ends] if isinstance(ends, Source) else ends))

    @property
    def is_chain(self) -> bool:
        """Whether the model is Sequential: each layer takes the output of the one before."""
        return "output_layers" not in self.config and "input_layers" not in self.config

    @cached_property
    def calls(self) -> Mapping[str, tuple[Call, ...] | None]:
        """The calls of each layer; None where they cannot be read."""
        # Reversed, so that of several layers with one name the first one counts.
        return {node.name: calls_of(node.entry) for node in reversed(self.nodes)}

    @cached_property
    def first_call_numbers(self) -> Mapping[str, int]:
        """The number of the first call of each layer, 1 for nested models whose calls do not count from 0."""
        if self.whole is not None:
            return self.whole.first_call_numbers
        if all(node.inner is None for node in self.nodes):
            return {}
        tensors = [tensor for key in ("input_layers", "output_layers") for tensor in self._references(key)]
        tensors += (tensor for calls in self.calls.values() for call in calls or () for tensor in call.tensors)
        return first_calls(tensors, {node.name for node in self.nodes if node.inner is not None})

    def _references(self, key: str) -> tuple[Tensor, ...]:
        try:
            return read_references(self.config.get(key))
        except (RecursionError, ValueError):
            return ()

    @cached_property
    def feeds(self) -> Mapping[str, tuple[Feeds, ...] | None]:
        """The inputs of each layer, call by call; None where they cannot be read."""
        if self.whole is not None:
            return dict(_unmasked(self.whole.feeds, self.whole.mask_operations))
        if self.is_chain:
            return dict(self._chained())
        return {node.name: self._feeds(node) for node in reversed(self.nodes)}

    def _feeds(self, node: Node) -> tuple[Feeds, ...] | None:
        calls = self.calls[node.name]
        if calls is None:
            return None
        return tuple(feeds_of(node.obj, call, self.first_call_numbers, node.is_operation) for call in calls)

    def _chained(self) -> Iterator[tuple[str, tuple[Feeds, ...]]]:
        before = ""
        for node in self.nodes:
            yield node.name, () if node.obj.is_input or not before else ({"": Source(before)},)
            before = node.name

    def ends(self, key: str) -> Any:
        """The inputs (`input_layers`) or the outputs (`output_layers`) of the model, with `Source` for tensors."""
        if not self.is_chain:
            return _with_sources(self.config.get(key), self.first_call_numbers, 0)
        at = self.nodes[:1] if key == "input_layers" else self.nodes[-1:]
        return next((Source(node.name) for node in at), None)

    @cached_property
    def mask_operations(self) -> frozenset[str]:
        """The names of the operations that only compute masks of other layers; old Keras does not write them."""
        consumers: dict[str, set[tuple[str, bool]]] = {}  # by layer: who takes its output, and whether as a mask
        for name, calls in self.feeds.items():
            for feeds in calls or ():
                for key, value in feeds.items():
                    for source in sources_in(value):
                        consumers.setdefault(source.layer, set()).add((name, key.endswith("mask")))
        ends = {source.layer for key in ("input_layers", "output_layers") for source in sources_in(self.ends(key))}
        mask_operations = set[str]()
        for node in reversed(self.nodes):  # a config lists a layer before those that take its output
            taken_by = consumers.get(node.name, ()) if node.is_operation and node.name not in ends else ()
            if taken_by and all(as_mask or name in mask_operations for name, as_mask in taken_by):
                mask_operations.add(node.name)
        return frozenset(mask_operations)

    def rank(self, node: Node) -> int | None:
        """The number of axes of a layer's first input; None where the config does not say it."""
        shapes = Args.of(node.entry).built if "class_name" in node.entry else ()
        shape = next(iter(shapes or self._inputs.get(node.name, ())), None)
        return None if shape is None else len(shape)

    @cached_property
    def _inputs(self) -> Mapping[str, Inputs]:
        """The input shapes of each layer; empty where the config makes no sense."""
        entry = {"class_name": class_of_model(self.is_chain), "config": self.config}
        try:
            return {step.args.name: step.inputs for step in steps_of(Args.of(entry))}
        except ConfigError:
            return {}

    def without_masks(self) -> "Model":
        """The same model as old Keras writes it, without the operations that compute masks."""
        if not any(node.is_operation for node in self.nodes):
            return self
        nodes = tuple(node for node in self.nodes if node.name not in self.mask_operations)
        return replace(self, nodes=nodes, whole=self)


def _unmasked(
    feeds: Mapping[str, tuple[Feeds, ...] | None], mask_operations: frozenset[str]
) -> Iterator[tuple[str, tuple[Feeds, ...] | None]]:
    """The inputs of each layer without those that come from operations that compute masks."""

    def is_mask(value: Any) -> bool:
        return any(source.layer in mask_operations for source in sources_in(value))

    for name, calls in feeds.items():
        if name not in mask_operations:
            yield name, calls and tuple({key: of for key, of in call.items() if not is_mask(of)} for call in calls)


def _with_sources(value: Any, first: Mapping[str, int], depth: int) -> Any:
    """Lists and dicts in which a `Source` replaces each reference, and its item each list of one."""
    if isinstance(value, list) and len(value) == 3 and isinstance(value[0], str) and all(map(is_integer, value[1:])):
        return Source(value[0], value[1] - first.get(value[0], 0), value[2])
    if depth > MAX_DEPTH:
        return value
    if isinstance(value, list):
        below = [_with_sources(item, first, depth + 1) for item in value]
        return below[0] if len(below) == 1 else below
    if isinstance(value, Mapping):
        return {key: _with_sources(item, first, depth + 1) for key, item in value.items()}
    return value


def model_of(checkpoint: Configured) -> Model | None:
    """The model in a checkpoint's config, in the form of Keras 3; None where there is none."""
    return checkpoint.facts.once("compared model", _model_in, checkpoint)


def _model_in(checkpoint: Configured) -> Model | None:
    architecture = architecture_of(checkpoint)
    if architecture is None or not isinstance(architecture.config, Mapping):
        return None
    return _model(_object_in(_normalized(architecture), architecture.generation is not Generation.KERAS_3), "", 0)


def _normalized(architecture: Architecture) -> Mapping[str, Any]:
    """The config in the form of Keras 3; as written where that is not possible.

    A model of the user's own class whose config lists its layers counts as one of Keras's.
    """
    config = architecture.config
    inner, class_name = config.get("config"), config.get("class_name")
    is_own = class_name not in (*MODELS, None) and isinstance(inner, Mapping) and "layers" in inner
    try:
        return _normalized_own_class(architecture) if is_own else normalized_config(architecture)
    except ConfigError:
        return config  # type: ignore[no-any-return]


def _normalized_own_class(architecture: Architecture) -> Mapping[str, Any]:
    """The config of a model of the user's own class in the form of Keras 3, as if the class were one of Keras's."""
    config = architecture.config
    keras_class = {"class_name": class_of_model("output_layers" not in config["config"]), "module": "keras"}
    own = {key: config[key] for key in ("class_name", "module") if key in config}
    return {**normalized({**config, **keras_class}, architecture.generation), **own}


def wrapped_model(obj: ConfigObject, depth: int) -> Model:
    """The model inside a wrapper layer, such as TimeDistributed; `depth` is the number of models around it.

    The chains of names of its layers begin at this model.
    """
    return _model(obj, "", depth)


def _model(obj: ConfigObject, prefix: str, depth: int) -> Model:
    config, old = obj.config, obj.old
    own = {key: value for key, value in config.items() if key not in _PARTS}
    entries = config.get("layers")
    model = Model(replace(obj, config=own), (), config)
    nodes = tuple(_nodes(entries if isinstance(entries, list) else [], old, prefix, depth))
    return replace(model, nodes=(*_implied_input(model, nodes, old, prefix), *nodes))


def _nodes(entries: list[Any], old: bool, prefix: str, depth: int) -> Iterator[Node]:
    counts: dict[str, int] = {}
    for entry in entries:
        obj = _object_in(entry, old)
        name = _name(entry, obj)
        number = counts[name] = counts.get(name, 0) + 1
        chain = join_path(prefix, name)
        inner = None
        if depth < MAX_DEPTH and obj.is_model:
            inner = _model(obj, chain, depth + 1)
            obj = inner.obj
        yield Node(chain, name, number, obj, entry if isinstance(entry, Mapping) else {}, inner)


def _implied_input(model: Model, nodes: tuple[Node, ...], old: bool, prefix: str) -> Iterator[Node]:
    """The InputLayer of a Sequential model whose config has none, but the shape of it; Keras 3 always writes one.

    The shape is in the config of the model, or in that of a model at its beginning.
    """
    if not model.is_chain or not nodes or nodes[0].obj.is_input:
        return
    shape = model.config.get("build_input_shape")
    first = nodes[0].inner.nodes[:1] if nodes[0].inner is not None else ()
    shapes = [shape, *(node.obj.config.get("batch_shape") for node in first)]
    batch_shape = next((shape for shape in shapes if shape is not None), None)
    if batch_shape is not None:
        obj = ConfigObject("layers", INPUT_LAYER, {"name": "input_layer", "batch_shape": batch_shape}, old=old)
        yield Node(f"{prefix}/input_layer" if prefix else "input_layer", "input_layer", 1, obj, {})


def _object_in(entry: Any, old: bool) -> ConfigObject:
    """The object that a layer's entry describes; an object without a class where it describes none."""
    described = meaning("layers", {"config": {}, **entry}, old) if isinstance(entry, Mapping) else None
    return described if isinstance(described, ConfigObject) else ConfigObject("layers", "", {"value": entry}, True, old)


def _name(entry: Any, obj: ConfigObject) -> str:
    """The name under which a graph refers to a layer."""
    entry_name = entry.get("name") if isinstance(entry, Mapping) and "class_name" in entry else None
    name = entry_name if isinstance(entry_name, str) else obj.config.get("name")
    return name if isinstance(name, str) else snake_case(obj.class_name)
