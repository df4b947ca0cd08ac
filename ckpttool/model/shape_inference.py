"""The input and output shapes of a model's layers, worked out from their connections and shape rules."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from typing import Any, NamedTuple

from ckpttool.errors import ConfigError
from ckpttool.model.arguments import Args
from ckpttool.model.graph import Call, Tensor, first_calls, read_calls, read_references
from ckpttool.model.layers.table import FUNCTIONS, MODELS, output_shapes
from ckpttool.model.output_rule import Outputs
from ckpttool.model.sizes import Inputs, Shape, read_shape

_STATE_ARGUMENTS = ("mask", "initial_state", "constants")
MAX_CALLS = 30_000  # calls of layers, those in models counted at every call of the model
_SHAPES = ("batch_shape", "batch_input_shape")


class Step(NamedTuple):
    """One layer of a model: its calls with their input shapes, and the output shapes of each call."""

    args: Args
    calls: tuple[Call, ...]
    outputs: tuple[Outputs, ...]

    @property
    def inputs(self) -> Inputs:
        """The shapes that the layer is built for: those of its `build_config`, as Keras does, else of its first call,
        else those that its arguments declare."""
        called = _built_for(self.calls[0]) if self.calls else ()
        known = any(shape is not None for shape in called)
        return self.args.built or (called if known else self.args.declared or called)

    @property
    def inbound(self) -> tuple[str, ...]:
        """The names of the layers whose outputs its calls take, each once."""
        return tuple(dict.fromkeys(tensor.layer for call in self.calls for tensor in call.tensors))


def is_model(args: Args) -> bool:
    """Whether a layer is a Functional or Sequential model, whose config lists its layers."""
    return args.class_name in MODELS and not args.foreign


def is_built(model: Args) -> bool:
    """Whether Keras creates the weights of a model when it reads its config: it does not for a Sequential one without
    an input shape."""
    if model.class_name != "Sequential" or model.built or read_shape(model.config.get("build_input_shape")):
        return True
    return any(map(_is_input_shape_known, steps_of(model)[:1]))


def _is_input_shape_known(first: Step) -> bool:
    """Whether the input shape of a Sequential model follows from its first layer. A known output shape is not enough:
    that of a GRU is known without the input."""
    shapes = sum(first.outputs, ()) if first.args.class_name == "InputLayer" else first.inputs
    return any(shape is not None for shape in shapes) or (is_model(first.args) and is_built(first.args))


def outputs_of(args: Args, call: Call) -> Outputs:
    """The output shapes of a layer or model. Raises ConfigError."""
    if not is_model(args):
        return output_shapes(args, call, outputs_of)
    return _model_outputs(args, steps_of(args, call.inputs))


def steps_of(model: Args, inputs: Inputs = ()) -> tuple[Step, ...]:
    """The layers of a model in the order of its config, for inputs of these shapes where they are known.

    Raises ConfigError for connections that make no sense: a layer that is not there, a circle, a name repeated.
    """
    # Without this, work doubles with each level of nested models, which are asked for outputs and for parts.
    return model.facts.once(inputs, _steps, model, inputs)


def _steps(model: Args, inputs: Inputs) -> tuple[Step, ...]:
    layers = model.layers("layers")
    return tuple(_chain(model, layers, inputs)) if model.class_name == "Sequential" else _graph(model, layers, inputs)


def _chain(model: Args, layers: list[Args], inputs: Inputs) -> Iterator[Step]:
    """The layers of a Sequential model, each called on the output of the one before."""
    name, shape = "", next(iter(inputs or model.built), read_shape(model.config.get("build_input_shape")))
    for at, args in enumerate(layers):
        if args.class_name == "InputLayer":
            shape = shape or _declared(args)
            yield Step(args, (), ((shape,),))
        else:
            shape = shape or (_declared(args) if at == 0 else None)
            call = Call((Tensor(name, 0, 0, shape),))
            outputs = outputs_of(args, call)
            yield Step(args, (call,), (outputs,))
            shape = outputs[0] if len(outputs) == 1 else None
        name = args.name


def _declared(args: Args) -> Shape | None:
    """The shape of the input that the first layer of a model declares, batch axis included."""
    key = next((key for key in _SHAPES if args.config.get(key) is not None), None)
    if key is None:
        return None
    shape = read_shape(args.config[key])
    if shape is None:
        raise args.error(key, "a shape")
    return shape


def first_nodes(layers: Mapping[str, Args], referred: Iterable[tuple[str, Tensor]]) -> dict[str, int]:
    """The number of each layer's first recorded call, by the tensors that a graph refers to, each with the name of the
    layer that takes it. Raises ConfigError for a tensor of a missing layer."""
    tensors = list[Tensor]()
    for name, tensor in referred:
        if tensor.layer not in layers:
            raise _missing_layer_error(layers, name, tensor.layer)
        tensors.append(tensor)
    return first_calls(tensors, {name for name, args in layers.items() if is_model(args)})


def _missing_layer_error(layers: Mapping[str, Args], name: str, source: str) -> ConfigError:
    """The error for a layer that is called on a layer that the model does not have.

    Keras 2.5 to 2.15 write one entry for a layer that is in several models, and each model writes its calls into it, so
    that only those of the last model remain (`SharedObjectSavingScope`, keras/src/saving/legacy/serialization.py, and
    `get_network_config`, keras/src/engine/functional.py, 2.15). Keras cannot load such a file itself.
    """
    models = (args for args in layers.values() if is_model(args))
    holder = next((model.name for model in models if {name, source} <= _names_in(model)), None)
    if holder is None:
        return ConfigError("a layer is called on one that does not exist", where=name, found=source)
    return ConfigError(
        f"the calls of a layer are lost: Keras 2.5 to 2.15 stored its calls in the model {holder} in their place",
        where=name,
        found=f"a call on {source}, a layer of {holder}",
        hint="build the model with your code and load the weights of the file into it",
    )


def _names_in(model: Args) -> set[str]:
    """The names of the layers of a model."""
    layers = model.config.get("layers")
    entries = [entry for entry in (layers if isinstance(layers, list) else []) if isinstance(entry, Mapping)]
    return {str(entry.get("name")) for entry in entries}


def _call_count(entry: Any) -> int:
    """The number of calls of a layer; of a model, the calls of the layers inside it, times its own."""
    if not isinstance(entry, Mapping):
        return 0
    calls, config = entry.get("inbound_nodes"), entry.get("config")
    times = max(1, len(calls)) if isinstance(calls, list) else 1
    inner = config.get("layers") if isinstance(config, Mapping) else None
    return times * (sum(map(_call_count, inner)) if isinstance(inner, list) and inner else 1)


class _Graph:
    """A graph and the output shapes computed so far."""

    def __init__(self, model: Args, layers: list[Args], inputs: Inputs) -> None:
        entries: list[Mapping[str, Any]] = list(model.config["layers"])
        if sum(map(_call_count, entries)) > MAX_CALLS:
            raise ConfigError(
                f"its layers are called more than {MAX_CALLS:,} times, those in models for each call of the model",
                where="/".join(model.path),
                hint="name a smaller model, such as one inside it that is saved by itself: no more calls are followed",
            )
        self.names = [name_in_graph(entry, args) for entry, args in zip(entries, layers, strict=True)]
        repeated = next((name for name, count in Counter(self.names).items() if count > 1), None)
        if repeated is not None:
            raise ConfigError("two layers of a model have the same name", where="/".join(model.path), found=repeated)
        self.layers = dict(zip(self.names, layers, strict=True))
        for tensor in read_references([model.config.get(key) for key in ("input_layers", "output_layers")]):
            if tensor.layer not in self.layers:
                raise ConfigError(
                    "a model begins or ends with a layer that does not exist",
                    where="/".join(model.path),
                    found=tensor.layer,
                )
        self.calls = {name: read_calls(entry) for name, entry in zip(self.names, entries, strict=True)}
        self.input_shapes = dict(zip(_input_names(model), inputs, strict=False))
        referred = ((name, tensor) for name, calls in self.calls.items() for call in calls for tensor in call.tensors)
        self.first_calls = first_nodes(self.layers, referred)
        self.outputs: dict[str, dict[int, Outputs]] = {name: {} for name in self.names}
        self.sizes: dict[tuple[str, int], Shape | None] = {}

    def source_of(self, tensor: Tensor) -> tuple[str, int]:
        """The name of the layer that a tensor comes from, and the number of its call, counted from 0."""
        return tensor.layer, tensor.node - self.first_calls.get(tensor.layer, 0)

    def shape_of(self, tensor: Tensor) -> Shape | None:
        """The shape of a tensor, computed where it can be, else the one that the config states."""
        name, number = self.source_of(tensor)
        outputs = self.outputs.get(name, {}).get(number, ())
        shape = outputs[tensor.output] if 0 <= tensor.output < len(outputs) else None
        return tensor.shape if shape is None else shape

    def run(self, name: str, number: int) -> None:
        """Compute the output shapes of one call, all of whose input shapes are known by now."""
        args = self.layers[name]
        if not self.calls[name]:
            shape = self.input_shapes.get(name) or _declared(args)
            self.outputs[name][0] = (shape,) if args.class_name == "InputLayer" else ()
            return
        call = self.with_shapes(self.calls[name][number])
        self.outputs[name][number] = outputs_of(args, call)
        if args.class_name in FUNCTIONS and not args.foreign:
            from ckpttool.model.tensorflow_ops.inference import sizes_of  # few models have such functions

            self.sizes[name, number] = sizes_of(args, call)

    def with_shapes(self, call: Call) -> Call:
        """The call with all shapes that are known by now, and with all sizes that its tensors hold."""
        return call.replaced(lambda tensor: replace(tensor, shape=self.shape_of(tensor), sizes=self._sizes_in(tensor)))

    def _sizes_in(self, tensor: Tensor) -> Shape | None:
        return self.sizes.get(self.source_of(tensor))

    def step(self, name: str) -> Step:
        """The layer with all its calls."""
        outputs = tuple(self.outputs[name][number] for number in sorted(self.outputs[name]))
        return Step(self.layers[name], tuple(map(self.with_shapes, self.calls[name])), outputs)


def _graph(model: Args, layers: list[Args], inputs: Inputs) -> tuple[Step, ...]:
    """The layers of a Functional model; every call is run once all that it takes has been."""
    graph = _Graph(model, layers, inputs)
    waiting, dependents = _dependencies(graph)
    ready = [key for key, count in waiting.items() if not count]
    for key in ready:
        graph.run(*key)
        for dependent in dependents[key]:
            waiting[dependent] -= 1
            if not waiting[dependent]:
                ready.append(dependent)
    if len(ready) < len(waiting):
        circle = next(name for (name, _), count in waiting.items() if count)
        raise ConfigError("the layers of a model are connected in a circle", where="/".join(model.path), found=circle)
    return tuple(map(graph.step, graph.names))


_Key = tuple[str, int]


def _dependencies(graph: _Graph) -> tuple[dict[_Key, int], dict[_Key, list[_Key]]]:
    """For each call the number of calls that it waits for, and the calls that wait for it."""
    waiting = {(name, at): 0 for name in graph.names for at in range(max(1, len(graph.calls[name])))}
    dependents: dict[_Key, list[_Key]] = defaultdict(list)
    for name, calls in graph.calls.items():
        for at, call in enumerate(calls):
            for source in {graph.source_of(tensor) for tensor in call.tensors}:
                if source in waiting:
                    waiting[name, at] += 1
                    dependents[source].append((name, at))
    return waiting, dependents


def name_in_graph(entry: Mapping[str, Any], args: Args) -> str:
    """The name under which a graph refers to a layer."""
    name = entry.get("name")
    return name if isinstance(name, str) else args.name


def _input_names(model: Args) -> list[str]:
    return [tensor.layer for tensor in read_references(model.config.get("input_layers"))]


def _model_outputs(model: Args, steps: tuple[Step, ...]) -> Outputs:
    """The output shapes of a model."""
    if model.class_name == "Sequential":
        return steps[-1].outputs[0] if steps else ()
    outputs = {step.args.name: step.outputs for step in steps}
    return tuple(_shape_of_output(outputs, tensor) for tensor in read_references(model.config.get("output_layers")))


def _shape_of_output(outputs: Mapping[str, tuple[Outputs, ...]], tensor: Tensor) -> Shape | None:
    calls = outputs.get(tensor.layer, ())
    shapes = calls[min(tensor.node, len(calls) - 1)] if calls and tensor.node >= 0 else ()
    return shapes[tensor.output] if 0 <= tensor.output < len(shapes) else None


def _built_for(call: Call) -> Inputs:
    """The shapes that a layer is built for when it is called: its inputs, without masks and states beside them."""
    kwargs = {key: value for key, value in call.kwargs.items() if not key.endswith(_STATE_ARGUMENTS)}
    return Call(call.args, kwargs).inputs
