"""The rewriter of configs: from a model of Keras 0 to 2 to one of Keras 3, with the changes of its weights.

Every layer is identified by its old label: the names of the layers around it and its own, joined by slashes.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Any

from ckpttool.conversion.config import (
    argument_edits,
    functions,
    hard_sigmoid,
    lookup_counts,
    masks,
    toolkit_wrappers,
    whole_numbers,
)
from ckpttool.conversion.config.call_arguments import keras3_call
from ckpttool.conversion.config.changed_semantics import Site, with_old_meaning
from ckpttool.conversion.config.entries import under_name
from ckpttool.conversion.config.graphs import Connections, GraphLayer, functional, layers_by_name
from ckpttool.conversion.config.inputs import fitted
from ckpttool.conversion.config.keras3 import unchanged_config
from ckpttool.conversion.config.labels import At, keras3_name, within
from ckpttool.conversion.config.layer_rewriter import UNKNOWN, LayerRewriter
from ckpttool.conversion.config.nested_layers import LIVE, Nested, unbuilt
from ckpttool.conversion.config.other_packages import outside
from ckpttool.conversion.config.plain_models import plain
from ckpttool.conversion.config.result import Rewritten
from ckpttool.conversion.config.tensor_dtypes import after_layer, dtypes_in
from ckpttool.conversion.journal import Edit, Journal
from ckpttool.conversion.options import PLAIN, Options
from ckpttool.conversion.origin import Origin
from ckpttool.conversion.removed_layers.table import NO_LAYOUT
from ckpttool.conversion.tensorflow_ops.graph import Operations
from ckpttool.conversion.weights import deviations
from ckpttool.errors import ConfigError
from ckpttool.model import Architecture
from ckpttool.model.architecture_parts import normalized_config
from ckpttool.model.arguments import Args
from ckpttool.model.class_names import ALIASES
from ckpttool.model.entries import is_keras, own_entry
from ckpttool.model.generations.generation import Generation
from ckpttool.model.generations.normalization import canonical, normalized, unflattened
from ckpttool.model.graph import Call
from ckpttool.model.layers.table import LAYERS, OLD_LAYERS
from ckpttool.model.shape_inference import is_model, steps_of
from ckpttool.paths import join_path

RENAME_LAYER = Edit(
    "rename-layer",
    "gives a layer a name without slashes, which Keras 3 does not allow, or one that nothing else in the model has",
    "always: names have no part in what a model computes",
)
CONNECT = Edit(
    "rewrite-connections",
    "writes the calls of layers in the notation of Keras 3, nodes counted and layers ordered as it does",
    "always: the same graph",
)
STATE_INPUT = Edit(
    "state-input",
    "puts an InputLayer before the first layer, where the config stated the input",
    "always: the same input",
    differs_without=True,
)
CUSTOM = Edit("keep-custom-class", "keeps a class that is not built into Keras, under its name", "as that class is")
UNFOLD_MERGE = Edit(
    "unfold-merge",
    "writes a Sequential model that begins with a Merge of branches as the graph that it is",
    "always: the same layers, in the same order",
)
EDITS = (UNFOLD_MERGE, RENAME_LAYER, CONNECT, STATE_INPUT, CUSTOM)

_LAYER_ARGUMENTS = ("layer", "backward_layer", "cell")
_BASE_ONLY = frozenset({"batch_input_shape"})  # arguments that the base class Layer of Keras 3 no longer takes
_DIRECTIONS = {("Bidirectional", "layer"): "forward_"}  # a backward layer of its own keeps its name


def rewrite(
    architecture: Architecture, journal: Journal, options: Options = PLAIN, origin: Origin = UNKNOWN
) -> Rewritten:
    """The config of a model for Keras 3; parts without an equivalent are refused in the journal. Raises ConfigError."""
    config, generation = architecture.config, architecture.generation
    rewriter = _Rewriter(generation, journal, options, origin)
    if generation is Generation.KERAS_3:
        return unchanged_config(config, rewriter.current_lambda, rewriter.without_function)
    old = canonical(config, generation)
    if isinstance(config, Mapping) and "class_name" in config and old["class_name"] != config["class_name"]:
        journal.edit(UNFOLD_MERGE, Args.of(old).name)
    new = normalized_config(architecture)
    rewriter.masked = masks.has_masks(new)
    entry = rewriter.model_entry(old, new)
    other_loss = masks.check(Args.of(new), generation, origin, journal)
    return Rewritten(
        entry,
        MappingProxyType(rewriter.labels),
        MappingProxyType(rewriter.weights),
        MappingProxyType(rewriter.scaled),
        MappingProxyType(rewriter.arrangements),
        tuple(rewriter.without_function),
        frozenset(rewriter.holders),
        frozenset(rewriter.unlike_layers),
        other_loss,
    )


@dataclass(slots=True)
class _Rewriter(LayerRewriter):
    masked: bool = False

    def model_entry(self, old: Any, new: Mapping[str, Any]) -> dict[str, Any]:
        """The entry of the whole model."""
        args = Args.of(new)
        if not is_model(args):
            new = plain(args, self.generation, self.journal)
            args = Args.of(new)
        return self.layer(Args.of(old), {**new, "config": {**args.config, "name": args.name}}, At())

    def layer(self, old: Args, new: Mapping[str, Any], at: At) -> dict[str, Any]:
        """The entry of a layer or model, and of all layers in it; `new` has the new name already."""
        args = Args.of(new)
        args = args.as_class(ALIASES.get(args.class_name, args.class_name))
        if beyond := outside(args, new, at.label, self.journal):
            return beyond
        if args.foreign or args.class_name not in LAYERS:
            return self.unknown(args, new, at)
        if args.class_name == "Lambda":
            return self.entry(args, new, self.lambda_layer(old, args, at), at)
        args = replace(args, config=with_old_meaning(args, Site(at.label, old, at.shape, self.origin), self.journal))
        argument_edits.note_changes(old, args, self.generation, at.label or args.name, self.journal)
        if is_model(args):
            return self.entry(args, new, self.model(old, args, at), at)
        config = {**self.with_functions(args, at).config, **self.inner_layers(old, args, within(args, at))}
        resolved = Args.of({**new, "class_name": args.class_name, "config": config})
        arrangement = deviations.variance_arrangement(resolved, self.generation, self.origin, at.label, self.journal)
        self.arrangements |= {join_path(at.label, deviations.SLOT): arrangement} if arrangement else {}
        if hard_sigmoid.old_function_keys(resolved):
            return self.surrounded(resolved, self.with_old_activation(resolved, new, at), at)
        whole_numbers.check(resolved, at.dtype, at.label, self.journal)
        if whole_numbers.is_cast(resolved, at.dtype):
            model = whole_numbers.behind_cast(resolved, self.entry(resolved, new, config, at), at.label, self.journal)
            return self.entry(model, {}, model.config, at)
        if lookup_counts.gives_integers(resolved):
            return self.cast(resolved, self.entry(resolved, new, config, at), at)
        return self.surrounded(resolved, self.entry(resolved, new, config, at), at)

    def inner_layers(self, old: Args, args: Args, at: At) -> dict[str, Any]:
        """The entries of the layers in the arguments of a layer."""
        inner: dict[str, Any] = {}
        for key in _LAYER_ARGUMENTS:
            if isinstance(args.config.get(key), Mapping):
                before = old.config.get(key, old.config.get("layer"))
                inner[key] = self.inner(before, args.config[key], at, _DIRECTIONS.get((args.class_name, key), ""))
        if args.class_name == "Bidirectional":
            functions.check_copied(inner, at.label, self.journal)
        if args.class_name == "Bidirectional" and "backward_layer" not in inner:
            self.mirror(at)
        if isinstance(args.config.get("cells"), list):
            pairs = zip(old.config["cells"], args.config["cells"], strict=True)
            inner["cells"] = [self.inner(before, after, at) for before, after in pairs]
        return inner

    def inner(self, old: Any, new: Mapping[str, Any], at: At, direction: str = "") -> dict[str, Any]:
        name = f"{direction}{Args.of(new).name.removeprefix(direction)}"
        return self.layer(Args.of(self.unflattened(old)), new, at.below(name, name, shape=at.shape, dtype=at.dtype))

    def unflattened(self, old: Any) -> Any:
        return unflattened(old) if self.generation is Generation.KERAS_0 else old

    def unknown(self, args: Args, new: Mapping[str, Any], at: At) -> dict[str, Any]:
        """The entry of a layer of a class that Keras 3 does not have: its replacement, or a class of the user's own."""
        built_in = args.class_name in OLD_LAYERS or args.class_name in NO_LAYOUT or is_keras(new.get("module"))
        if args.foreign or not built_in:
            return self.custom(args, new, at)
        return self.removed(args, new, at)

    def custom(self, args: Args, new: Mapping[str, Any], at: At) -> dict[str, Any]:
        """The entry of a class of the user's own, by its registered name."""
        registered = name if isinstance(name := new.get("registered_name"), str) else args.class_name
        class_name = args.class_name.rpartition(">")[2]
        self.journal.edit(CUSTOM, at.label, registered)
        is_unlike = self.generation is Generation.KERAS_2 and "trainable" not in args.config
        self.unlike_layers |= {at.label} if is_unlike else set()
        toolkit_wrappers.check(class_name, at.label, self.journal)
        functions.need_layer(registered, class_name, args.config, self.journal)
        if hard_sigmoid.old_function_keys(args) and self.generation is not Generation.KERAS_3:
            self.journal.guess(at.label, f"{class_name} of your own uses hard_sigmoid, {hard_sigmoid.ANOTHER_SLOPE}")
        arguments = {key: value for key, value in args.config.items() if key not in _BASE_ONLY}
        config = self.nested(functions.of_own_class(arguments, self.place(at), self.journal), at)
        module = new.get("module") if isinstance(new.get("module"), str) else None
        return own_entry(module, class_name, config, registered)

    def nested(self, config: Mapping[str, Any], at: At) -> dict[str, Any]:
        """The arguments of an own class, with the layers among them in the form of Keras 3."""
        inner = _Rewriter(self.generation, self.journal, self.options, self.origin)
        nested = Nested(lambda entry: unbuilt(inner.inner(entry, normalized(entry, self.generation), at)))
        arguments = {key: nested.value(value) for key, value in config.items()}
        if inner.scaled or inner.arrangements or inner.weights:
            reason = f"holds {', '.join(nested.classes)}, whose weights Keras 3 takes otherwise"
            self.journal.refuse(at.label, f"{reason}; {LIVE} with your class shows where they are")
        self.without_function += inner.without_function
        self.holders |= inner.holders | ({at.label} if nested.classes else set())
        return arguments

    def model(self, old: Args, args: Args, at: At) -> dict[str, Any]:
        """The config of a model."""
        return self.chain(old, args, at) if args.class_name == "Sequential" else self.graph(old, args, at)

    def chain(self, old: Args, args: Args, at: At) -> dict[str, Any]:
        """The config of a Sequential model."""
        before = old.config["layers"]
        steps = steps_of(args)
        after = fitted(args, steps, at.label, self.journal)
        names = self.names(args, [Args.of(entry).name for entry in after], at)
        if len(after) == len(before) + 1:
            self.journal.edit(STATE_INPUT, at.label or args.name)
            before = [after[0], *before]
        layers, started = [], bool(after) and Args.of(after[0]).class_name == "InputLayer"  # which builds all layers
        dtype = None if started else at.dtype
        for old_entry, entry, step in zip(before, after, steps, strict=True):
            name = Args.of(entry).name
            below = at.below(name, names[name], started, next(iter(step.inputs), None), dtype)
            dtype = after_layer(step.args, dtype, self.generation)
            layers.append(self.layer(Args.of(self.unflattened(old_entry)), under_name(entry, names[name]), below))
        return {**{key: value for key, value in args.config.items() if key != "layers"}, "layers": layers}

    def names(self, args: Args, names: list[str], at: At) -> dict[str, str]:
        """The new names of a model's layers, by their old ones."""
        used = {name for name in names if "/" not in name}
        new_names: dict[str, str] = {}
        for name in names:
            new = keras3_name(name, used, self.masked)
            if new != name:
                used.add(new)
                self.journal.edit(RENAME_LAYER, join_path(at.label, name), f"{name} to {new}")
            new_names[name], label = new, join_path(at.label, name)
            self.labels |= {label: join_path(at.new_label, new)} if label != join_path(at.new_label, new) else {}
        return new_names

    def graph(self, old: Args, args: Args, at: At) -> dict[str, Any]:
        """The config of a Functional model."""
        steps = steps_of(args)
        entries = fitted(args, steps, at.label, self.journal)
        by_name = layers_by_name(args)
        if not len(by_name) == len(entries) == len(old.config["layers"]):
            raise ConfigError("its layers are not those of a graph", where=at.label or args.name)
        connections = Connections.of(args, by_name, self.generation)
        names = self.names(args, list(by_name), at)
        dtypes = dtypes_in(by_name, connections, self.generation)
        operations = Operations(by_name, connections, names, at.label, self.journal, dtypes)
        layers = list[GraphLayer](operations.layers)
        for name, entry, old_entry, step in zip(by_name, entries, old.config["layers"], steps, strict=True):
            if by_name[name].class_name in operations.classes:
                continue
            dtype = dtypes.taken(connections.calls[name])
            below = at.below(name, names[name], True, next(iter(step.inputs), None), dtype)
            new_entry = self.layer(Args.of(self.unflattened(old_entry)), under_name(entry, names[name]), below)
            own = (call.replaced(operations.new_tensor) for call in connections.calls[name])
            called = by_name[name].as_class(new_entry["class_name"])
            calls = tuple(keras3_call(called, call, below.label, self.journal) for call in own)
            layers.append(GraphLayer(names[name], new_entry, calls))
        count = f"{connections.count} connection{'s' * (connections.count != 1)}"
        self.journal.edit(CONNECT, at.label or args.name, count)
        ends = [Call((end,)).replaced(operations.new_tensor) for end in (connections.inputs, connections.outputs)]
        arguments = {key: args.config[key] for key in ("name", "trainable") if key in args.config}
        if self.journal.refusals:  # a layer that was refused may be missing from the graph
            return {**arguments, "layers": [], "input_layers": [], "output_layers": []}
        return functional(arguments, layers, *(call.args[0] for call in ends))
