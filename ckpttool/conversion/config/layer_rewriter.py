"""The rewriter of single layers: functions, Lambda layers, old activations, removed layers, and what weights become.

The layers inside of them are rewritten by `rewriter`.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, TypeVar

from ckpttool.conversion.config import functions, hard_sigmoid, lambdas, lookup_counts
from ckpttool.conversion.config.bytecode import StoredFunction
from ckpttool.conversion.config.hard_sigmoid import ScaledWeights
from ckpttool.conversion.config.labels import At
from ckpttool.conversion.config.result import Unfilled
from ckpttool.conversion.config.surrounded_layers import SLOTS, surrounded
from ckpttool.conversion.journal import Journal
from ckpttool.conversion.options import Options
from ckpttool.conversion.origin import Origin
from ckpttool.conversion.removed_layers.replacement import Equivalent
from ckpttool.conversion.removed_layers.table import REPLACE_LAYER, equivalent
from ckpttool.conversion.weights.transforms import Arrangement
from ckpttool.model.arguments import Args
from ckpttool.model.entries import layer_entry
from ckpttool.model.generations.generation import Generation
from ckpttool.model.generations.known_names import KerasVersion
from ckpttool.model.tensorflow_ops.emitter import NoEquivalent
from ckpttool.paths import join_path

UNKNOWN = Origin()

_Value = TypeVar("_Value")


@dataclass(slots=True)
class LayerRewriter:
    """Rewrites single layers, and collects the changes of weights by the old labels of layers."""

    generation: Generation
    journal: Journal
    options: Options
    origin: Origin = UNKNOWN
    labels: dict[str, str] = field(default_factory=dict)
    weights: dict[str, str] = field(default_factory=dict)
    scaled: dict[str, ScaledWeights] = field(default_factory=dict)
    arrangements: dict[str, Arrangement] = field(default_factory=dict)
    without_function: list[Unfilled] = field(default_factory=list)
    holders: set[str] = field(default_factory=set)
    unlike_layers: set[str] = field(default_factory=set)

    def with_functions(self, args: Args, at: At) -> Args:
        """The layer with its functions in the form in which Keras 3 finds them."""
        return replace(args, config=functions.resolved(args.config, self.place(at), self.journal))

    def place(self, at: At) -> functions.Place:
        """The layer in whose arguments functions are named, and the version of Keras that wrote them."""
        version = KerasVersion.of(self.generation, self.origin.version)
        return functions.Place(at.label, self.generation, version, self.options.builtins)

    def cast(self, args: Args, entry: dict[str, Any], at: At) -> dict[str, Any]:
        """The entry of a model of a lookup and a layer that casts its output."""
        self.journal.edit(lookup_counts.CAST_LOOKUP, at.label)
        self.weights[at.label] = join_path(at.new_label, lookup_counts.named(args))
        cast = lookup_counts.cast(args)
        return self.chained(args.name, [lookup_counts.lookup(args, entry), self.entry(cast, {}, cast.config, at)], at)

    def surrounded(self, args: Args, entry: dict[str, Any], at: At) -> dict[str, Any]:
        """The entry of a layer; of one that alone computes something else in Keras 3, that of a model with others."""
        try:
            model = surrounded(args, entry, at.shape, self.origin.theano)
        except NoEquivalent as problem:
            self.journal.refuse(at.label, str(problem))
            return entry
        if model is None:
            return entry
        self.journal.edit(model.edit, at.label, model.detail)
        for slot in SLOTS:
            self.weights[join_path(at.label, slot)] = join_path(at.new_label, f"{model.name}/{slot}")
        return self.chained(args.name, model.layers, at)

    def chained(self, name: str, layers: list[dict[str, Any]], at: At) -> dict[str, Any]:
        """The entry of a model of several layers, which replaces a layer and has its name."""
        model = Args("Sequential", {"name": name, "layers": layers})
        return self.entry(model, {}, model.config, at)

    def entry(self, args: Args, new: Mapping[str, Any], config: Mapping[str, Any], at: At) -> dict[str, Any]:
        """The entry of a built-in class with its arguments. In a graph it has no `build_config`: its calls build it."""
        built = {} if at.in_graph or "build_config" not in new else {"build_config": new["build_config"]}
        return {**layer_entry(args.class_name, config), **built}

    def current_lambda(self, entry: Mapping[str, Any], label: str) -> dict[str, Any]:
        """The entry of a Lambda layer of Keras 3 with the user's function instead of its code."""
        args = Args.of(entry)
        return {**entry, "config": self.lambda_layer(args, args, At(label, label))}

    def lambda_layer(self, old: Args, args: Args, at: At) -> dict[str, Any]:
        """The arguments of a Lambda layer: with the user's function for it, else with its own if that has a name."""
        self.journal.lambdas.append((at.label, args.name))
        if old.config.get("mask") is not None:
            self.without_function.append(Unfilled(at.label, args.name, old.class_name, masks=True))
        if (place := lambdas.place_of(self.options.functions, (at.label, args.name))) is not None:
            return lambdas.replaced(old, args, place, at.label, self.journal)
        if (name := lambdas.named_function(args)) is not None:
            return lambdas.named(old, args, name, at.label, self.journal)
        function, arguments = StoredFunction(args.config.get("function")), args.config.get("arguments")
        known = function.formula(arguments), function.signature(arguments)
        self.without_function.append(Unfilled(at.label, args.name, old.class_name, *known))
        return lambdas.bare(args)

    def removed(self, args: Args, new: Mapping[str, Any], at: At) -> dict[str, Any]:
        """The entry of the replacement of a layer that Keras 3 does not have, of its own where there is none."""
        args = self.with_functions(args, at)
        try:
            return self.equivalent(args, equivalent(self.with_function(args, at), self.origin.theano), at)
        except NoEquivalent as problem:
            self.journal.refuse(at.label, str(problem))
            return self.entry(args, new, args.config, at)

    def with_function(self, args: Args, at: At) -> Args:
        """A layer that Keras 3 does not have, with its old hard_sigmoid replaced. Raises NoEquivalent."""
        used = hard_sigmoid.old_function_keys(args)
        if used and self.options.keep_weights:
            function = hard_sigmoid.registered_function(at.label, self.journal)
            return replace(args, config={**args.config, **dict.fromkeys(used, function)})
        scaled = hard_sigmoid.scaled_weights(args)
        if used and scaled is None:
            raise NoEquivalent(f"{args.class_name} with hard_sigmoid, whose slope differs in Keras 3")
        if used and scaled:
            self.journal.edit(hard_sigmoid.SCALE_WEIGHTS, at.label, ", ".join(used))
            self.scaled[at.label] = scaled
        return args

    def equivalent(self, args: Args, replacement: Equivalent, at: At) -> dict[str, Any]:
        """The entry of the replacement of an old layer."""
        self.journal.edit(REPLACE_LAYER, at.label, f"{args.class_name} by {replacement.description}")
        if replacement.lost:
            self.journal.lose(at.label, replacement.lost)
        for old, new in replacement.weights.items():
            self.weights[join_path(at.label, old)] = join_path(at.new_label, new)
        self.arrangements |= {join_path(at.label, name): how for name, how in replacement.arrangements.items()}
        config = (replacement.frozen() if args.config.get("trainable") is False else replacement).config
        return self.entry(Args.of({"class_name": replacement.class_name, "config": config}), {}, config, at)

    def with_old_activation(self, args: Args, new: Mapping[str, Any], at: At) -> dict[str, Any]:
        """The entry of a layer with the old hard_sigmoid."""
        used, scaled = hard_sigmoid.old_function_keys(args), hard_sigmoid.scaled_weights(args)
        if self.options.keep_weights or (scaled is None and args.class_name != "Activation"):
            if not self.options.keep_weights:
                reason = f"{args.class_name} with hard_sigmoid as {' and '.join(used)}, whose slope differs in Keras 3"
                self.journal.refuse(at.label, f"{reason}; --keep-weights carries it with a registered function")
            function = hard_sigmoid.registered_function(at.label, self.journal)
            return self.entry(args, new, {**args.config, **dict.fromkeys(used, function)}, at)
        if scaled is None:
            self.journal.edit(hard_sigmoid.SCALE_INPUT, at.label)
            model = Args("Sequential", hard_sigmoid.rescaled(args.name, args.config))
            return self.entry(model, {}, model.config, at)
        self.journal.edit(hard_sigmoid.SCALE_WEIGHTS, at.label, ", ".join(used))
        self.scaled[at.label] = scaled
        return self.entry(args, new, args.config, at)

    def mirror(self, at: At) -> None:
        """Repeat the changes of a forward layer's weights for the backward layer, which Keras makes of it."""
        ahead, behind = f"{at.label}/forward_", f"{at.label}/backward_"

        def mirrored(of: Mapping[str, _Value]) -> dict[str, _Value]:
            return {behind + label.removeprefix(ahead): how for label, how in of.items() if label.startswith(ahead)}

        self.scaled |= mirrored(self.scaled)
        self.arrangements |= mirrored(self.arrangements)
        self.holders |= {behind + label.removeprefix(ahead) for label in self.holders if label.startswith(ahead)}
        self.weights |= {old: new.replace("/forward_", "/backward_", 1) for old, new in mirrored(self.weights).items()}
