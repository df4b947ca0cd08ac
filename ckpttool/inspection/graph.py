"""The graph of a model: its layers, the connections between them, and the models inside it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from ckpttool.errors import CheckpointError
from ckpttool.escape import brief
from ckpttool.inspection.slot_sizes import params_of
from ckpttool.model import Architecture
from ckpttool.model.architecture_parts import model_args
from ckpttool.model.arguments import MAX_DEPTH, Args
from ckpttool.model.graph import Tensor, read_references
from ckpttool.model.layers.table import CHAINS, family_of
from ckpttool.model.shape_inference import Step, first_nodes, is_model, name_in_graph, steps_of
from ckpttool.model.sizes import Inputs, Shape
from ckpttool.model.spec import SpecSlot, spec_of
from ckpttool.model.summary import LayerGraph
from ckpttool.notebook import Displayed
from ckpttool.paths import join_path


@dataclass(frozen=True, slots=True)
class GraphLayer:
    """One layer of a graph, however often it is called.

    `path` joins the names of the models around it and its own. `family` is the kind of its class, as the table of
    layers groups them. `wraps` is the class of the layer that a wrapper has inside, empty for others. `shapes` are its
    output shapes, calls with the same ones once, None where one is not known; `calls` is the number of its calls.
    `params` is the number of its parameters, those of the layers in a model included; None where it is not known.
    `model` is the number of the model around it among the layers of the graph, None at the top. A model has the numbers
    of its first layers in `inputs` and of its last ones in `outputs`, in the order of its inputs and outputs; None
    stands for one that is not shown. `is_output` says that its model returns an output of it. `hidden` is the number of
    layers inside it that are not shown. `change` says what a comparison found: "added", "removed", "config", "weights"
    or "config, weights"; empty where it found nothing.
    """

    path: str
    name: str
    class_name: str
    family: str
    wraps: str = ""
    shapes: tuple[Shape | None, ...] = ()
    calls: int = 1
    params: int | None = None
    frozen: bool = False
    is_model: bool = False
    model: int | None = None
    inputs: tuple[int | None, ...] = ()
    outputs: tuple[int | None, ...] = ()
    is_output: bool = False
    hidden: int = 0
    change: str = ""

    __repr__ = brief

    @property
    def title(self) -> str:
        """The class, with the class of the layer inside a wrapper: `Bidirectional(LSTM)`."""
        return f"{self.class_name}({self.wraps})" if self.wraps else self.class_name


@dataclass(frozen=True, slots=True)
class Connection:
    """One tensor that a call of a layer takes.

    `source` and `target` are numbers of layers, both inside the same model. `source_call` and `output` say which output
    of which call of the source the tensor is, `call` and `place` which of the tensors of which call of the target; all
    are counted from 0. `through` is the number of layers between the two that are not shown. `change` is "added" or
    "removed" where a comparison found that, else empty.
    """

    source: int
    target: int
    source_call: int = 0
    output: int = 0
    call: int = 0
    place: int = 0
    shape: Shape | None = None
    through: int = 0
    change: str = ""


@dataclass(frozen=True, slots=True)
class ModelGraph(Displayed):
    """The layers of a model and the connections between them, with the models inside it as layers that have layers.

    A layer is known by its number, its place in `layers`; those of a model follow it. `inputs` and `outputs` are the
    numbers of the layers at the ends. `other` is the file that was compared with `path`, empty where none was. `notes`
    say what is not shown.
    """

    path: str
    class_name: str
    name: str
    layers: tuple[GraphLayer, ...]
    connections: tuple[Connection, ...]
    inputs: tuple[int, ...] = ()
    outputs: tuple[int, ...] = ()
    params: int | None = None
    other: str = ""
    notes: tuple[str, ...] = ()

    def __repr__(self) -> str:
        sizes = f"{len(self.layers):,} layers, {len(self.connections):,} connections"
        return f"<ModelGraph {self.class_name} {self.name!r}: {sizes}>"

    def inside(self) -> Mapping[int | None, tuple[int, ...]]:
        """The numbers of the layers in each model, by the number of the model; None for the top."""
        gathered: dict[int | None, list[int]] = {}
        for number, layer in enumerate(self.layers):
            gathered.setdefault(layer.model, []).append(number)
        return {model: tuple(numbers) for model, numbers in gathered.items()}


def graph_of(architecture: Architecture, path: str = "") -> ModelGraph:
    """The graph of an architecture, which was read from the file at `path`.

    Raises CheckpointError where its connections cannot be followed, or where its config lists no layers.
    """
    try:
        args = model_args(architecture)
        builder = _Builder(_Sizes.of(architecture))
        inputs, outputs = builder.add_model(args, args.built, None)
    except CheckpointError as error:
        raise error.at(path=path) from error.__cause__
    name = architecture.name or args.name
    layers = tuple(builder.finished())
    connections = tuple(builder.connections)
    total = builder.sizes.total
    return ModelGraph(path, architecture.class_name, name, layers, connections, inputs, outputs, total)


@dataclass(frozen=True, slots=True)
class _Sizes:
    """The slots of a model by the path of the layer that lists them, and the layers whose slots are not known."""

    by_layer: Mapping[str, list[SpecSlot]]
    unknown: frozenset[str]
    total: int | None

    @classmethod
    def of(cls, architecture: Architecture) -> _Sizes:
        """The sizes of an architecture; none where its weights do not follow from its config."""
        try:
            spec = spec_of(architecture)
        except CheckpointError:
            return cls({}, frozenset({""}), None)
        own = [slot for slot in spec.slots if slot.index is not None]  # no weight twice, as in `layer.weights`
        by_layer: dict[str, list[SpecSlot]] = {}
        for slot in own:
            for path in _paths_to(slot.layer):
                by_layer.setdefault(path, []).append(slot)
        unknown = frozenset(path for part in spec.opaque for path in _paths_to(part.layer))
        return cls(by_layer, unknown, None if spec.opaque else params_of(own))

    def params(self, path: str) -> int | None:
        """The number of parameters of a layer, with those of all layers inside it."""
        return None if self.unknown & {"", path} else params_of(self.by_layer.get(path, ()))


def _paths_to(path: str) -> Iterator[str]:
    """The paths of the layers around a layer, from the outermost on, and its own."""
    ends = [at for at, char in enumerate(path) if char == "/"]
    yield from (path[:end] for end in ends[:MAX_DEPTH])
    yield path


class _Builder:
    """The layers and connections that were read so far."""

    def __init__(self, sizes: _Sizes) -> None:
        self.sizes = sizes
        self.layers: list[dict[str, Any]] = []
        self.connections: list[Connection] = []

    def finished(self) -> Iterator[GraphLayer]:
        """The layers as values."""
        for facts in self.layers:
            yield GraphLayer(**facts)

    def add_model(self, args: Args, inputs: Inputs, model: int | None) -> tuple[tuple[int, ...], tuple[int, ...]]:
        """Add the layers of a model and their connections; the result are the numbers of its first and last layers.

        `model` is the number of the model among the layers, None for the outermost one.
        """
        steps = steps_of(args, inputs)
        chained = args.class_name in CHAINS
        entries = args.config["layers"]
        names = [name_in_graph(entry, step.args) for entry, step in zip(entries, steps, strict=True)]
        numbers = [self._add_layer(step, name, model) for step, name in zip(steps, names, strict=True)]
        if chained:
            self.connections += _sequential_connections(numbers, steps)
            first, last = tuple(numbers[:1]), tuple(numbers[-1:])
        else:
            by_name = dict(zip(names, numbers, strict=True))
            self.connections += _functional_connections(steps, names, by_name)
            ends = (read_references(args.config.get(key)) for key in ("input_layers", "output_layers"))
            first, last = (tuple(by_name[tensor.layer] for tensor in tensors) for tensors in ends)
        for number in last:
            self.layers[number]["is_output"] = True
        return first, last

    def _add_layer(self, step: Step, name: str, model: int | None) -> int:
        args, number = step.args, len(self.layers)
        parent = {} if model is None else self.layers[model]
        path = join_path(parent.get("path", ""), name)
        shapes = LayerGraph(step.outputs).shapes
        facts = {
            "path": path,
            "name": name,
            "class_name": args.class_name,
            "family": family_of(args),
            "wraps": _wrapped_class(args),
            "shapes": shapes,
            "calls": max(1, len(step.calls)),
            "params": self.sizes.params(path),
            "frozen": parent.get("frozen", False) or args.config.get("trainable") is False,
            "is_model": is_model(args),
            "model": model,
        }
        self.layers.append(facts)
        if is_model(args):
            facts["inputs"], facts["outputs"] = self.add_model(args, step.inputs, number)
        return number


def _wrapped_class(args: Args) -> str:
    """The class of the layer that a wrapper has inside; empty for other layers."""
    inner = args.config.get("layer")
    name = inner.get("class_name") if isinstance(inner, Mapping) else None
    return name if isinstance(name, str) else ""


def _sequential_connections(numbers: list[int], steps: tuple[Step, ...]) -> Iterator[Connection]:
    """The connections of a Sequential model: each layer takes the first output of the one before."""
    for source, target, step in zip(numbers, numbers[1:], steps[1:], strict=False):
        shape = step.calls[0].tensors[0].shape if step.calls else None
        yield Connection(source, target, shape=shape)


def _functional_connections(
    steps: tuple[Step, ...], names: list[str], numbers: Mapping[str, int]
) -> Iterator[Connection]:
    """The connections of a Functional model, one for each tensor in each call."""
    layers = {name: step.args for name, step in zip(names, steps, strict=True)}
    tensors = [(name, tensor) for name, step in zip(names, steps, strict=True) for tensor in _tensors(step)]
    first = first_nodes(layers, tensors)
    for name, step in zip(names, steps, strict=True):
        for call_number, call in enumerate(step.calls):
            for place, tensor in enumerate(call.tensors):
                source_call = max(0, tensor.node - first[tensor.layer])
                source, shape = numbers[tensor.layer], tensor.shape
                yield Connection(source, numbers[name], source_call, tensor.output, call_number, place, shape)


def _tensors(step: Step) -> Iterator[Tensor]:
    for call in step.calls:
        yield from call.tensors
