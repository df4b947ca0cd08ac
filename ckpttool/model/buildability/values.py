"""Values that a config is deserialized to: objects, functions, layers, tensors between layers.

Plain values stay what JSON made of them.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from ckpttool.model.arguments import Args
from ckpttool.model.sizes import Inputs, Shape


@dataclass(frozen=True, slots=True)
class Function:
    """A function of Keras, by its place."""

    place: str


@dataclass(frozen=True, slots=True)
class Own:
    """An object or function of the user's, of which nothing is known but the name."""

    name: str


@dataclass(frozen=True, slots=True)
class Special:
    """A value that JSON does not have: an array, a tensor, bytes, a slice, an ellipsis; `kind` says which, `entry` how
    the config writes it."""

    kind: str
    value: Any = None
    entry: Any = None


@dataclass(frozen=True, slots=True)
class Object:
    """An object of a class of Keras that is no layer, with the arguments it was made of."""

    place: str
    arguments: Mapping[str, Any] = field(default_factory=dict)

    @property
    def class_name(self) -> str:
        """The name of the class."""
        return self.place.rpartition(".")[2]


@dataclass(eq=False, slots=True)
class Tensor:
    """A tensor between layers, told apart by identity. `shape` is None where it is not known.

    `layer`, `node` and `output` say where it comes from; `layer` is None for one that a config only describes, whose
    `history` is what the config says of that.
    """

    shape: Shape | None = None
    dtype: str | None = None
    layer: "Layer | None" = None
    node: int = 0
    output: int = 0
    history: Any = None


@dataclass(eq=False, slots=True)
class Node:
    """One call of a layer. `outputs` is the structure that comes out, None where that is not known."""

    inputs: tuple[Tensor, ...]
    outputs: Any
    flat: list[Tensor] | None
    call: Any = None


@dataclass(eq=False, slots=True)
class Layer:
    """A layer, an operation or a model, as far as a config tells it.

    `name` is None where Keras makes one up. `place` is empty for the user's own class. `input_shape` is what the
    argument `input_shape` or `input_dim` says, for the first layer of a Sequential model. A model has its `layers`, and
    `inputs` and `outputs` once it has a graph. `args` are the layer as the tables of shapes take it. `built_for` are
    the shapes of the weights that it has, `weight_inputs` those of the inputs that they follow from, `built_input` is
    that of the input whose axes all others are to have.
    """

    place: str
    name: str | None
    config: Mapping[str, Any]
    arguments: Mapping[str, Any] = field(default_factory=dict)
    nodes: list[Node] = field(default_factory=list)
    input_shape: Any = None
    built: bool = False
    built_for: Any = None
    weight_inputs: Inputs | None = None
    built_input: Shape = ()
    layers: "list[Layer]" = field(default_factory=list)
    inputs: Any = None
    outputs: Any = None
    args: Args | None = None
    class_name: str = field(init=False)

    def __post_init__(self) -> None:
        self.class_name = self.place.rpartition(".")[2]

    @property
    def label(self) -> str:
        """The name in messages."""
        return self.name or self.class_name or "?"

    @property
    def is_functional(self) -> bool:
        """Whether it is a Functional model."""
        return self.place == FUNCTIONAL

    @property
    def is_sequential(self) -> bool:
        """Whether it is a Sequential model."""
        return self.place == SEQUENTIAL

    @property
    def is_model(self) -> bool:
        """Whether it is a model of Keras's own classes."""
        return self.place in (FUNCTIONAL, SEQUENTIAL, MODEL)


FUNCTIONAL = "keras.src.models.functional.Functional"
MODEL = "keras.src.models.model.Model"
SEQUENTIAL = "keras.src.models.sequential.Sequential"
INPUT_LAYER = "keras.src.layers.core.input_layer.InputLayer"
_LISTS = (list, tuple)


def tensors_in(value: Any) -> list[Tensor]:
    """The tensors in a structure, keys of objects sorted (`tree.flatten`)."""
    return [leaf for leaf in leaves(value) if isinstance(leaf, Tensor)]


def leaves(value: Any) -> list[Any]:
    """The leaves of a structure of lists and objects, keys sorted (`tree.flatten`)."""
    if isinstance(value, _LISTS):
        return [leaf for item in value for leaf in leaves(item)]
    if isinstance(value, dict):
        return [leaf for key in sorted(value, key=str) for leaf in leaves(value[key])]
    return [value]


def mapped(value: Any, change: Any) -> Any:
    """A structure with every leaf changed (`tree.map_structure`)."""
    if isinstance(value, list):
        return [mapped(item, change) for item in value]
    if isinstance(value, tuple):
        return tuple(mapped(item, change) for item in value)
    if isinstance(value, dict):
        return {key: mapped(item, change) for key, item in value.items()}
    return change(value)
