"""The config of a model of Keras 0 to 2 in the words of Keras 3, with what its weights go through on the way.

Every layer is told by its label, the chain of names of what holds it and its own, as in the old model.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, TypeVar

from ckpttool.conversion.config import (
    argument_edits,
    functions,
    hard_sigmoid,
    lambdas,
    lookup_counts,
    masks,
    theano_padding,
    toolkit_wrappers,
    whole_numbers,
)
from ckpttool.conversion.config.bytecode import computed
from ckpttool.conversion.config.call_arguments import called_today
from ckpttool.conversion.config.changed_semantics import Site, settled
from ckpttool.conversion.config.entries import under_name
from ckpttool.conversion.config.graphs import Connections, GraphLayer, functional
from ckpttool.conversion.config.hard_sigmoid import Scaled
from ckpttool.conversion.config.inputs import fitted
from ckpttool.conversion.config.keras3 import MODULES, current
from ckpttool.conversion.config.labels import At, name_today
from ckpttool.conversion.config.nested import LIVE, Nested, unbuilt
from ckpttool.conversion.config.other_packages import outside
from ckpttool.conversion.config.plain_models import plain
from ckpttool.conversion.config.result import Rewritten, Unfilled
from ckpttool.conversion.config.tensor_dtypes import after_layer, dtypes_in
from ckpttool.conversion.journal import Edit, Journal
from ckpttool.conversion.options import PLAIN, Options
from ckpttool.conversion.origin import Origin
from ckpttool.conversion.removed_layers.replacement import Equivalent
from ckpttool.conversion.removed_layers.table import GONE, REPLACE_LAYER, equivalent
from ckpttool.conversion.tensorflow_ops.emitter import NoEquivalent
from ckpttool.conversion.tensorflow_ops.graph import Operations
from ckpttool.conversion.weights import deviations
from ckpttool.conversion.weights.transforms import Arrangement
from ckpttool.errors import ConfigError
from ckpttool.model import Architecture
from ckpttool.model.arguments import Args
from ckpttool.model.class_names import ALIASES
from ckpttool.model.generations.generation import Generation
from ckpttool.model.generations.known_names import KerasVersion
from ckpttool.model.generations.normalization import canonical, normalized, unflattened
from ckpttool.model.graph import Call
from ckpttool.model.layers.table import LAYERS, OLD_LAYERS
from ckpttool.model.shape_inference import is_model, name_in_graph, steps_of
from ckpttool.model.spec import normalized_config
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

_HELD = ("layer", "backward_layer", "cell")
_BASE_ONLY = frozenset({"batch_input_shape"})  # what Keras 3's Layer takes no more, of classes that hand on the rest
_DIRECTIONS = {("Bidirectional", "layer"): "forward_"}  # a backward layer of its own keeps its name

UNKNOWN = Origin()


def rewrite(
    architecture: Architecture, journal: Journal, options: Options = PLAIN, origin: Origin = UNKNOWN
) -> Rewritten:
    """The config of a model as Keras 3 has it; what has no form there is refused in the journal. Raises ConfigError."""
    config, generation = architecture.config, architecture.generation
    rewriter = _Rewriter(generation, journal, options, origin)
    if generation is Generation.KERAS_3:
        return current(config, rewriter.current_lambda, rewriter.without_function)
    old = canonical(config, generation)
    if isinstance(config, Mapping) and "class_name" in config and old["class_name"] != config["class_name"]:
        journal.edit(UNFOLD_MERGE, Args.of(old).name)
    new = normalized_config(architecture)
    rewriter.masked = masks.are_made_in(new)
    found = rewriter.model_entry(old, new)
    masks.check(Args.of(new), generation, origin, journal)
    own = tuple(rewriter.without_function), rewriter.holders, rewriter.unlike_layers
    return Rewritten(found, rewriter.labels, rewriter.weights, rewriter.scaled, rewriter.laid_out, *own)


_Told = TypeVar("_Told")


@dataclass(slots=True)
class _Rewriter:
    generation: Generation
    journal: Journal
    options: Options
    origin: Origin = UNKNOWN
    labels: dict[str, str] = field(default_factory=dict)
    weights: dict[str, str] = field(default_factory=dict)
    scaled: dict[str, Scaled] = field(default_factory=dict)
    laid_out: dict[str, Arrangement] = field(default_factory=dict)
    without_function: list[Unfilled] = field(default_factory=list)
    holders: set[str] = field(default_factory=set)
    unlike_layers: set[str] = field(default_factory=set)
    masked: bool = False

    def model_entry(self, old: Any, new: Mapping[str, Any]) -> dict[str, Any]:
        """The entry of the whole model."""
        args = Args.of(new)
        if not is_model(args):
            new = plain(args, self.generation, self.journal)
            args = Args.of(new)
        return self.layer(Args.of(old), {**new, "config": {**args.config, "name": args.name}}, At())

    def layer(self, old: Args, new: Mapping[str, Any], at: At) -> dict[str, Any]:
        """The entry of a layer or model with all that it holds; its name is that of today already."""
        args = Args.of(new)
        args = args.as_class(ALIASES.get(args.class_name, args.class_name))
        if beyond := outside(args, new, at.label, self.journal):
            return beyond
        if args.foreign or args.class_name not in LAYERS:
            return self.unknown(args, new, at)
        if args.class_name == "Lambda":
            return self.entry(args, new, self.lambda_layer(old, args, at), at)
        args = replace(args, config=settled(args, Site(at.label, old, at.shape, self.origin), self.journal))
        argument_edits.note(old, args, self.generation, at.label or args.name, self.journal)
        if is_model(args):
            return self.entry(args, new, self.model(old, args, at), at)
        config = {**self.with_functions(args, at).config, **self.held(old, args, at)}
        found = Args.of({**new, "class_name": args.class_name, "config": config})
        how = deviations.arranged(found, self.generation, self.origin, at.label, self.journal)
        self.laid_out |= {join_path(at.label, deviations.SLOT): how} if how else {}
        if hard_sigmoid.uses_old(found):
            return self.padded(found, self.with_old_activation(found, new, at), at)
        whole_numbers.check(found, at.dtype, at.label, self.journal)
        if whole_numbers.is_cast(found, at.dtype):
            model = whole_numbers.behind_cast(found, self.entry(found, new, config, at), at.label, self.journal)
            return self.entry(model, {}, model.config, at)
        if lookup_counts.gives_integers(found):
            return self.cast(found, self.entry(found, new, config, at), at)
        return self.padded(found, self.entry(found, new, config, at), at)

    def with_functions(self, args: Args, at: At) -> Args:
        """A layer whose functions are as Keras 3 finds them."""
        return replace(args, config=functions.resolved(args.config, self.place(at), self.journal))

    def place(self, at: At) -> functions.Place:
        """Where functions are named, by which Keras."""
        version = KerasVersion.of(self.generation, self.origin.version)
        return functions.Place(at.label, self.generation, version, self.options.builtins)

    def cast(self, args: Args, entry: dict[str, Any], at: At) -> dict[str, Any]:
        """The entry of a lookup with a layer behind it that casts what it gives."""
        self.journal.edit(lookup_counts.CAST_LOOKUP, at.label)
        self.weights[at.label] = join_path(at.today, lookup_counts.named(args))
        cast = lookup_counts.cast(args)
        return self.both(args.name, lookup_counts.lookup(args, entry), self.entry(cast, {}, cast.config, at), at)

    def padded(self, args: Args, entry: dict[str, Any], at: At) -> dict[str, Any]:
        """The entry of a layer, of one that Theano padded with a layer before it that does so."""
        told = theano_padding.refused(args, at.shape) if self.origin.theano else None
        if told:
            self.journal.refuse(at.label, told)
        pads = theano_padding.pads(args, at.shape) if self.origin.theano else None
        if pads is None:
            return entry
        self.journal.edit(theano_padding.WRITE_PADDING, at.label, f"{pads}")
        for slot in theano_padding.PADDED:
            self.weights[join_path(at.label, slot)] = join_path(at.today, f"{theano_padding.named(args)}/{slot}")
        zeros = theano_padding.zeros(args, pads)
        return self.both(args.name, self.entry(zeros, {}, zeros.config, at), theano_padding.unpadded(args, entry), at)

    def both(self, name: str, first: dict[str, Any], second: dict[str, Any], at: At) -> dict[str, Any]:
        """The entry of a model under the name of a layer, in whose place two layers stand."""
        model = Args("Sequential", {"name": name, "layers": [first, second]})
        return self.entry(model, {}, model.config, at)

    def entry(self, args: Args, new: Mapping[str, Any], config: Mapping[str, Any], at: At) -> dict[str, Any]:
        """A built-in class with its arguments. What it was built for is told by the calls of a graph."""
        module = MODULES.get(args.class_name, "keras.layers")
        built = {} if at.in_graph or "build_config" not in new else {"build_config": new["build_config"]}
        return {"module": module, "class_name": args.class_name, "config": config, "registered_name": None, **built}

    def held(self, old: Args, args: Args, at: At) -> dict[str, Any]:
        """The layers that a layer holds."""
        found: dict[str, Any] = {}
        for key in _HELD:
            if isinstance(args.config.get(key), Mapping):
                before = old.config.get(key, old.config.get("layer"))
                found[key] = self.inner(before, args.config[key], at, _DIRECTIONS.get((args.class_name, key), ""))
        if args.class_name == "Bidirectional":
            functions.check_copied(found, at.label, self.journal)
        if args.class_name == "Bidirectional" and "backward_layer" not in found:
            self.mirror(at)
        if isinstance(args.config.get("cells"), list):
            pairs = zip(old.config["cells"], args.config["cells"], strict=True)
            found["cells"] = [self.inner(before, after, at) for before, after in pairs]
        return found

    def mirror(self, at: At) -> None:
        """Says of the weights of the backward layer that Keras makes what was said of those of the forward layer."""
        ahead, behind = f"{at.label}/forward_", f"{at.label}/backward_"

        def told(of: Mapping[str, _Told]) -> dict[str, _Told]:
            return {behind + label.removeprefix(ahead): how for label, how in of.items() if label.startswith(ahead)}

        self.scaled |= told(self.scaled)
        self.laid_out |= told(self.laid_out)
        self.holders |= {behind + label.removeprefix(ahead) for label in self.holders if label.startswith(ahead)}
        self.weights |= {old: new.replace("/forward_", "/backward_", 1) for old, new in told(self.weights).items()}

    def inner(self, old: Any, new: Mapping[str, Any], at: At, direction: str = "") -> dict[str, Any]:
        name = f"{direction}{Args.of(new).name.removeprefix(direction)}"
        return self.layer(Args.of(self.unflattened(old)), new, at.below(name, name, dtype=at.dtype))

    def unflattened(self, old: Any) -> Any:
        return unflattened(old) if self.generation is Generation.KERAS_0 else old

    def with_old_activation(self, args: Args, new: Mapping[str, Any], at: At) -> dict[str, Any]:
        """The entry of a layer that uses the old hard_sigmoid."""
        used, scaled = hard_sigmoid.uses_old(args), hard_sigmoid.scaled(args)
        if self.options.keep_weights or (scaled is None and args.class_name != "Activation"):
            if not self.options.keep_weights:
                told = f"{args.class_name} with hard_sigmoid as {' and '.join(used)}, whose slope is another today"
                self.journal.refuse(at.label, f"{told}; --keep-weights carries it with a registered function")
            function = hard_sigmoid.kept(at.label, self.journal)
            return self.entry(args, new, {**args.config, **dict.fromkeys(used, function)}, at)
        if scaled is None:
            self.journal.edit(hard_sigmoid.SCALE_INPUT, at.label)
            model = Args("Sequential", hard_sigmoid.rescaled(args.name, args.config))
            return self.entry(model, {}, model.config, at)
        self.journal.edit(hard_sigmoid.SCALE_WEIGHTS, at.label, ", ".join(used))
        self.scaled[at.label] = scaled
        return self.entry(args, new, args.config, at)

    def current_lambda(self, entry: Mapping[str, Any], label: str) -> dict[str, Any]:
        """The entry of a Lambda layer of Keras 3 with the user's own function in place of its code."""
        args = Args.of(entry)
        return {**entry, "config": self.lambda_layer(args, args, At(label, label))}

    def lambda_layer(self, old: Args, args: Args, at: At) -> dict[str, Any]:
        """The arguments of a Lambda layer: with the function given for it, else its own if that has a name."""
        self.journal.lambdas.append((at.label, args.name))
        place = lambdas.place_of(self.options.functions, (at.label, args.name))
        if place is not None:
            return lambdas.replaced(old, args, place, at.label, self.journal)
        name = lambdas.named_function(args)
        if name is not None:
            return lambdas.named(old, args, name, at.label, self.journal)
        computes = computed(args.config.get("function"), args.config.get("arguments"))
        self.without_function.append(Unfilled(at.label, args.name, old.class_name, computes))
        return lambdas.bare(args)

    def unknown(self, args: Args, new: Mapping[str, Any], at: At) -> dict[str, Any]:
        """The entry of a layer of a class that Keras 3 has not: what computes the same, or one of the user's own."""
        built_in = args.class_name in OLD_LAYERS or args.class_name in GONE or "keras" in str(new.get("module"))
        if args.foreign or not built_in:
            return self.custom(args, new, at)
        args = self.with_functions(args, at)
        try:
            return self.equivalent(args, equivalent(self.with_function(args, at), self.origin.theano), at)
        except NoEquivalent as problem:
            self.journal.refuse(at.label, str(problem))
            return self.entry(args, new, args.config, at)

    def with_function(self, args: Args, at: At) -> Args:
        """A layer that Keras 3 has not, with what its old hard_sigmoid is today. Raises NoEquivalent."""
        used = hard_sigmoid.uses_old(args)
        if used and self.options.keep_weights:
            function = hard_sigmoid.kept(at.label, self.journal)
            return replace(args, config={**args.config, **dict.fromkeys(used, function)})
        scaled = hard_sigmoid.scaled(args)
        if used and scaled is None:
            raise NoEquivalent(f"{args.class_name} with hard_sigmoid, whose slope is another today")
        if used and scaled:
            self.journal.edit(hard_sigmoid.SCALE_WEIGHTS, at.label, ", ".join(used))
            self.scaled[at.label] = scaled
        return args

    def equivalent(self, args: Args, found: Equivalent, at: At) -> dict[str, Any]:
        """The entry of what computes the same as an old layer."""
        self.journal.edit(REPLACE_LAYER, at.label, f"{args.class_name} by {found.told}")
        if found.lost:
            self.journal.lose(at.label, found.lost)
        for old, new in found.weights.items():
            self.weights[join_path(at.label, old)] = join_path(at.today, new)
        self.laid_out |= {join_path(at.label, name): how for name, how in found.laid_out.items()}
        config = (found.frozen() if args.config.get("trainable") is False else found).config
        return self.entry(Args.of({"class_name": found.class_name, "config": config}), {}, config, at)

    def custom(self, args: Args, new: Mapping[str, Any], at: At) -> dict[str, Any]:
        """The entry of a class of the user's own, by its registered name."""
        registered = name if isinstance(name := new.get("registered_name"), str) else args.class_name
        class_name = args.class_name.rpartition(">")[2]
        self.journal.edit(CUSTOM, at.label, registered)
        unlike = self.generation is Generation.KERAS_2 and "trainable" not in args.config
        self.unlike_layers |= {at.label} if unlike else set()
        toolkit_wrappers.check(class_name, at.label, self.journal)
        self.journal.need(registered, f"the class {class_name}: import the module that registers it, or custom_objects")
        if hard_sigmoid.uses_old(args) and self.generation is not Generation.KERAS_3:
            self.journal.guess(at.label, f"{class_name} of your own uses hard_sigmoid, {hard_sigmoid.ANOTHER_SLOPE}")
        kept = {key: value for key, value in args.config.items() if key not in _BASE_ONLY}
        config = self.nested(functions.of_own_class(kept, self.place(at), self.journal), at)
        module = new.get("module") if isinstance(new.get("module"), str) else None
        return {"module": module, "class_name": class_name, "config": config, "registered_name": registered}

    def nested(self, config: Mapping[str, Any], at: At) -> dict[str, Any]:
        """The arguments of an own class with the layers among them in the words of Keras 3."""
        inner = _Rewriter(self.generation, self.journal, self.options, self.origin)
        found = Nested(lambda entry: unbuilt(inner.inner(entry, normalized(entry, self.generation), at)))
        today = {key: found.value(value) for key, value in config.items()}
        if inner.scaled or inner.laid_out or inner.weights:
            told = f"holds {', '.join(found.classes)}, whose weights Keras 3 takes otherwise"
            self.journal.refuse(at.label, f"{told}; {LIVE} with your class tells where they are")
        self.without_function += inner.without_function
        self.holders |= inner.holders | ({at.label} if found.classes else set())
        return today

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
        layers, started = [], bool(after) and Args.of(after[0]).class_name == "InputLayer"  # which builds all behind it
        dtype = None if started else at.dtype
        for one, entry, step in zip(before, after, steps, strict=True):
            name = Args.of(entry).name
            below = at.below(name, names[name], started, next(iter(step.inputs), None), dtype)
            dtype = after_layer(step.args, dtype, self.generation)
            layers.append(self.layer(Args.of(self.unflattened(one)), under_name(entry, names[name]), below))
        return {**{key: value for key, value in args.config.items() if key != "layers"}, "layers": layers}

    def names(self, args: Args, names: list[str], at: At) -> dict[str, str]:
        """The names of a model's layers today, by their old ones."""
        used = {name for name in names if "/" not in name}
        found: dict[str, str] = {}
        for name in names:
            new = name_today(name, used, self.masked)
            if new != name:
                used.add(new)
                self.journal.edit(RENAME_LAYER, join_path(at.label, name), f"{name} to {new}")
            found[name], label = new, join_path(at.label, name)
            self.labels |= {label: join_path(at.today, new)} if label != join_path(at.today, new) else {}
        return found

    def graph(self, old: Args, args: Args, at: At) -> dict[str, Any]:
        """The config of a Functional model."""
        steps = steps_of(args)
        entries = fitted(args, steps, at.label, self.journal)
        held = {name_in_graph(entry, layer): layer for entry, layer in zip(entries, args.layers("layers"), strict=True)}
        if not len(held) == len(entries) == len(old.config["layers"]):
            raise ConfigError("its layers are not those of a graph", where=at.label or args.name)
        connections = Connections.of(args, held, self.generation)
        names = self.names(args, list(held), at)
        dtypes = dtypes_in(held, connections, self.generation)
        operations = Operations(held, connections, names, at.label, self.journal, dtypes)
        layers = list[GraphLayer](operations.layers)
        for (name, layer), entry, one, step in zip(held.items(), entries, old.config["layers"], steps, strict=True):
            if layer.class_name in operations.classes:
                continue
            dtype = dtypes.taken(connections.calls[name])
            below = at.below(name, names[name], True, next(iter(step.inputs), None), dtype)
            found = self.layer(Args.of(self.unflattened(one)), under_name(entry, names[name]), below)
            own = (call.replaced(operations.today) for call in connections.calls[name])
            called = layer.as_class(found["class_name"])
            calls = tuple(called_today(called, call, below.label, self.journal) for call in own)
            layers.append(GraphLayer(names[name], found, calls))
        count = f"{connections.count} connection{'s' * (connections.count != 1)}"
        self.journal.edit(CONNECT, at.label or args.name, count)
        ends = [Call((end,)).replaced(operations.today).args[0] for end in (connections.inputs, connections.outputs)]
        kept = {key: args.config[key] for key in ("name", "trainable") if key in args.config}
        if self.journal.refusals:  # what was refused leaves holes in the graph
            return {**kept, "layers": [], "input_layers": [], "output_layers": []}
        return functional(kept, layers, *ends)
