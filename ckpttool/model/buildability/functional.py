"""Functional models (`functional_from_config`, keras/src/models/functional.py, 3.15)."""

from collections import Counter, defaultdict
from collections.abc import Mapping
from heapq import heapify, heappop, heappush
from typing import Any

from ckpttool.model.buildability import legacy
from ckpttool.model.buildability.calls import call
from ckpttool.model.buildability.context import Context, Refused, shown
from ckpttool.model.buildability.deserialization import deserialize
from ckpttool.model.buildability.masks import Masks
from ckpttool.model.buildability.shapes import standard_shape
from ckpttool.model.buildability.values import FUNCTIONAL, INPUT_LAYER, Layer, Node, Tensor, leaves, mapped

_KEYS = ("name", "layers", "input_layers", "output_layers")


class _NotYet(Exception):
    """A call takes a tensor that is not there yet: a layer has to be called so many times before."""

    def __init__(self, layer: Layer, calls: int) -> None:
        super().__init__()
        self.layer, self.calls = layer, calls


def begin(layer: Layer) -> None:
    """An InputLayer has its tensor from the start."""
    if layer.place == INPUT_LAYER:
        arguments = layer.arguments
        shape = arguments.get("batch_shape", arguments.get("batch_input_shape"))
        if shape is None:
            shape = arguments.get("shape", arguments.get("input_shape"))
            known = standard_shape(shape)
            full = None if known is None else (arguments.get("batch_size"), *known)
        else:
            full = standard_shape(shape)
        tensor = Tensor(full, arguments.get("dtype"), layer)
        layer.nodes.append(Node((), tensor, [tensor]))
        layer.built = True


def from_config(place: str, config: Any, context: Context) -> Layer:
    """The model that a config describes. Raises Refused where Keras raises."""
    if not isinstance(config, dict):
        raise context.refused("Functional", "config", f"config is {shown(config)}; Keras takes an object")
    missing = next((key for key in _KEYS if key not in config), None)
    if missing is not None:
        raise context.refused("Functional", missing, "it is not given, and Keras cannot do without it")
    if not isinstance(config["layers"], list):
        raise context.refused("Functional", "layers", f"the layers are {shown(config['layers'])}; Keras takes a list")
    check_name("Functional", config["name"], context)
    graph = _Graph(context)
    for entry in config["layers"]:
        graph.add(entry)
    if graph.incomplete:
        raise graph.incomplete
    graph.connect(config["layers"])
    name = config["name"]
    model = Layer(FUNCTIONAL, name if isinstance(name, str) else None, config, layers=list(graph.layers.values()))
    model.inputs, model.outputs = graph.ends(config["input_layers"]), graph.ends(config["output_layers"])
    model.built = True
    if not graph.has_own:
        _check_graph(model, graph.masks, context)
    return model


def check_name(class_name: str, name: Any, context: Context) -> None:
    """Raises Refused for what is no name of a layer."""
    if name is not None and (not isinstance(name, str) or "/" in name):
        raise context.refused(class_name, "name", f"the name is {shown(name)}; Keras takes a string without /")


class _Graph:
    """The layers of a model while they are made and called."""

    def __init__(self, context: Context) -> None:
        self.context = context
        self.layers: dict[str, Layer] = {}
        self.waiting: list[tuple[Layer, list[Any]]] = []
        self.incomplete: Refused | None = None
        self.has_own = False
        self.masks = Masks(context.name_counts)

    def add(self, entry: Any) -> None:
        """Make one layer; where Keras raises, note it and go on with the others."""
        refused = self.context.attempt(lambda: self._add(entry))
        self.incomplete = self.incomplete or refused

    def _add(self, entry: Any) -> None:
        if not isinstance(entry, dict) or not isinstance(entry.get("name"), str):
            raise self.context.refused("Functional", "layers", f"{shown(entry)} is no layer with a name")
        layer = legacy.layer_of(entry, self.context) if "module" not in entry else deserialize(entry, self.context)
        name = entry["name"]
        if not isinstance(layer, Layer):
            with self.context.below(name):
                class_name = getattr(layer, "class_name", shown(layer))
                raise self.context.refused(class_name, "", "it is no layer and no operation")
        self.has_own |= not layer.place
        nodes = entry.get("inbound_nodes")
        if not isinstance(nodes, list):
            with self.context.below(name):
                raise self.context.refused(layer.class_name, "inbound_nodes", "the calls of the layer are missing")
        self.layers[name] = layer
        if nodes:
            self.waiting.append((layer, list(nodes)))

    def connect(self, entries: list[Any]) -> None:
        """Call all layers, each as soon as what it takes is there."""
        turns = {id(self.layers[entry["name"]]): at for at, entry in reversed(list(enumerate(entries)))}
        waiting = [pair for pair in self.waiting if id(pair[0]) in turns]
        unreached = [layer.label for layer, _ in self.waiting if id(layer) not in turns]
        waiting.sort(key=lambda pair: turns[id(pair[0])])
        unreached += [layer.label for layer in self._call_all(_merged(waiting))]
        if unreached:
            names = ", ".join(unreached[:3])
            why = f"calls of {names} take tensors that no layer gives out, so that Keras cannot connect the graph"
            raise self.context.refused("Functional", "inbound_nodes", why)

    def _call_all(self, waiting: list[tuple[Layer, list[Any]]]) -> list[Layer]:
        """Make the calls of all layers; the layers that are left, as their calls take what no layer gives out.

        Keras goes over the layers in rounds, and makes the calls that it can. Here a layer that has to wait is taken up
        in the round in which Keras can make its call, and not before: a chain that is listed from its end takes as many
        rounds as it has layers.
        """
        turns = [(0, at) for at in range(len(waiting))]  # a heap of rounds and of places in them
        done, missing, takers = (
            [0] * len(waiting),
            dict[int, tuple[Layer, int]](),
            defaultdict[tuple[int, int], list[int]](list),
        )
        while turns:
            turn, at = heappop(turns)
            layer, before = waiting[at][0], len(waiting[at][0].nodes)
            done[at], lacks = self._run(*waiting[at], done[at])
            missing.pop(at, None)
            if lacks is not None:
                missing[at] = lacks
                takers[id(lacks[0]), lacks[1]].append(at)
            for count in range(before + 1, len(layer.nodes) + 1):
                for taker in takers.pop((id(layer), count), ()):
                    heappush(turns, (turn + (taker <= at), taker))
            if not turns:  # what a layer around gave a layer inside it is seen here
                turns = [(turn + 1, at) for at, (needed, calls) in missing.items() if len(needed.nodes) >= calls]
                heapify(turns)
        return [waiting[at][0] for at in sorted(missing)]

    def _run(self, layer: Layer, calls: list[Any], start: int) -> tuple[int, tuple[Layer, int] | None]:
        """Make the calls of a layer in order as far as possible: how many are made, and what the next one waits for."""
        for number in range(start, len(calls)):
            with self.context.below(layer.label):
                try:
                    args, kwargs = self._arguments(calls[number])
                except _NotYet as lacks:
                    return number, (lacks.layer, lacks.calls)
                call(layer, args, kwargs, self.context)
                self.masks.called(layer, layer.nodes[-1], kwargs)
        return len(calls), None

    def _arguments(self, data: Any) -> tuple[list[Any], dict[str, Any]]:
        """The arguments of a call (`deserialize_node`)."""
        if not data:
            return [], {}
        if isinstance(data, list):
            return self._legacy_arguments(data)
        if not isinstance(data, dict) or not {"args", "kwargs"} <= data.keys():
            raise self._bad(f"a call is {shown(data)}; Keras takes args and kwargs")
        args, kwargs = deserialize(data["args"], self.context), deserialize(data["kwargs"], self.context)
        args, kwargs = mapped(args, self._revived), mapped(kwargs, self._revived)
        if not isinstance(args, list) or not isinstance(kwargs, dict):
            raise self._bad("args of a call are no list, or kwargs no object")
        return args, kwargs

    def _legacy_arguments(self, data: list[Any]) -> tuple[list[Any], dict[str, Any]]:
        tensors: list[Tensor] = []
        kwargs: Any = {}
        for reference in data:
            if not isinstance(reference, list | tuple) or len(reference) not in (3, 4):
                raise self._bad(f"a tensor is named by {shown(reference)}; Keras takes layer, node, output")
            tensors.append(self._tensor(*reference[:3]))
            kwargs = reference[3] if len(reference) == 4 else {}
        if not isinstance(kwargs, dict):
            raise self._bad(f"keyword arguments of a call are {shown(kwargs)}")
        return [tensors[0] if len(tensors) == 1 else tensors], kwargs

    def _revived(self, value: Any) -> Any:
        if not isinstance(value, Tensor) or value.history is None:
            return value
        if not isinstance(value.history, list | tuple) or len(value.history) < 3:
            raise self._bad(f"keras_history of a tensor is {shown(value.history)}")
        return self._tensor(*value.history[:3])

    def _tensor(self, name: Any, node: Any, output: Any) -> Tensor:
        layer = self.layers.get(name) if isinstance(name, str) else None
        if layer is None:
            raise self._bad(f"it is called on {shown(name)}, a layer that the model does not have")
        if not isinstance(node, int) or not isinstance(output, int):
            raise self._bad(f"a tensor is number {shown(output)} of call {shown(node)}; Keras takes whole numbers")
        if len(layer.nodes) <= node or -node > len(layer.nodes):
            raise _NotYet(layer, max(node + 1, -node))
        outputs = layer.nodes[node].flat
        if outputs is None:
            return Tensor(None, None, layer, node, output)
        if not -len(outputs) <= output < len(outputs):
            raise _NotYet(layer, len(layer.nodes) + 1)
        return outputs[output]

    def _bad(self, why: str) -> Refused:
        return self.context.refused("Functional", "inbound_nodes", why)

    def ends(self, value: Any) -> Any:
        """The tensors with which the model begins or ends."""
        if isinstance(value, list) and len(value) == 3 and isinstance(value[0], str):
            return self._end(*value)
        if isinstance(value, dict):
            return {key: self.ends(item) for key, item in value.items()}
        if isinstance(value, list | tuple):
            ends = [self.ends(item) for item in value]
            return tuple(ends) if isinstance(value, tuple) else ends
        why = f"{shown(value)} names no tensor; Keras takes layer, node, output"
        raise self.context.refused("Functional", "input_layers, output_layers", why)

    def _end(self, name: str, node: Any, output: Any) -> Tensor:
        layer = self.layers.get(name)
        where = "input_layers, output_layers"
        if layer is None:
            raise self.context.refused("Functional", where, f"the model has no layer {shown(name)}")
        at = node - (1 if layer.is_functional else 0) if isinstance(node, int) else None
        if at is None or not isinstance(output, int) or not -len(layer.nodes) <= at < len(layer.nodes):
            raise self.context.refused("Functional", where, f"layer {shown(name)} has no call {shown(node)}")
        outputs = layer.nodes[at].flat
        if outputs is None:
            return Tensor(None, None, layer, at, output)
        if not -len(outputs) <= output < len(outputs):
            raise self.context.refused("Functional", where, f"layer {shown(name)} has no output {shown(output)}")
        return outputs[output]


def _merged(waiting: list[tuple[Layer, list[Any]]]) -> list[tuple[Layer, list[Any]]]:
    """Calls of the same layer, which may stand twice, together."""
    by_layer: dict[int, tuple[Layer, list[Any]]] = {}
    for layer, calls in waiting:
        by_layer.setdefault(id(layer), (layer, []))[1].extend(calls)
    return list(by_layer.values())


def _check_graph(model: Layer, masks: Masks, context: Context) -> None:
    """Raises Refused for a graph that does not lead from inputs to outputs (`map_graph`, keras/src/ops/function.py)."""
    inputs, outputs = leaves(model.inputs), leaves(model.outputs)
    if not inputs or not outputs:
        raise context.refused("Functional", "input_layers, output_layers", "the model has no inputs or no outputs")
    reached, layers = _reached(inputs, outputs)
    unreached = next((tensor for tensor in reached if tensor.layer is None or _is_unreached(tensor, inputs)), None)
    if unreached is not None:
        name = unreached.layer.label if unreached.layer else "?"
        why = f"the outputs depend on {name}, which the inputs of the model do not lead to"
        raise context.refused("Functional", "input_layers", why)
    names = [layer.name for layer in layers if layer.name is not None]
    twice = next((name for name, count in Counter(names).items() if count > 1), None)
    if twice is not None:
        raise context.refused("Functional", "layers", f"the name {twice} is that of two layers")
    of_masks = set[str]().union(*(masks.taken.get(id(layer), ()) for layer in layers))
    twice = next((name for name in names if name in of_masks), None)
    if twice is not None:
        why = f"the name {twice} is that of a layer, and of what Keras does to masks; the layer needs another name"
        raise context.refused("Functional", "layers", why)


def _is_unreached(tensor: Tensor, inputs: list[Tensor]) -> bool:
    """Whether a tensor is an input of the graph that the model does not list."""
    assert tensor.layer is not None
    node = tensor.layer.nodes[tensor.node]
    return not node.inputs and not any(tensor is other for other in inputs)


def _reached(inputs: list[Tensor], outputs: list[Tensor]) -> tuple[list[Tensor], list[Layer]]:
    """All tensors that the outputs depend on, up to the inputs, and the layers that give them out."""
    seen: dict[int, Tensor] = {}
    layers: dict[int, Layer] = {}
    stack = [*outputs]
    stops = {id(tensor) for tensor in inputs}
    layers |= {id(tensor.layer): tensor.layer for tensor in inputs if tensor.layer is not None}
    while stack:
        tensor = stack.pop()
        if id(tensor) in seen:
            continue
        seen[id(tensor)] = tensor
        if tensor.layer is not None:
            layers[id(tensor.layer)] = tensor.layer
            if id(tensor) not in stops:
                stack.extend(tensor.layer.nodes[tensor.node].inputs)
    return list(seen.values()), list(layers.values())


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}
