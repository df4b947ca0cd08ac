"""The builder of a Functional model that replaces a layer which Keras 3 no longer has."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from ckpttool.conversion.config.graphs import GraphLayer, functional
from ckpttool.model.class_names import snake_case
from ckpttool.model.entries import node_entry
from ckpttool.model.graph import Call, Tensor
from ckpttool.model.sizes import Shape
from ckpttool.model.tensorflow_ops.emitter import constant


@dataclass(slots=True)
class FunctionalBuilder:
    """The layers and operations so far; `name` is that of the layer that they replace."""

    name: str
    layers: list[GraphLayer] = field(default_factory=list)

    def input(self, shape: Shape) -> Tensor:
        """An input of the layer, of this shape."""
        name = self._free("input")
        self._add(name, "keras.layers", "InputLayer", batch_shape=[None, *shape[1:]], dtype="float32")
        return Tensor(name, 0, 0)

    def layer(self, class_name: str, *args: Any, name: str = "", **config: Any) -> Tensor:
        """The output of a new layer, called with `args`; `name` is the end of its name, after that of the model."""
        own = self._free(name or snake_case(class_name))
        return self._add(own, "keras.layers", class_name, Call(args), **config)

    def op(self, place: str, *args: Any, **config: Any) -> Tensor:
        """The output of a new operation such as `numpy.Add`, called with `args`."""
        module, _, class_name = place.partition(".")
        call = Call(tuple(map(constant, args)))
        return self._add(self._free(snake_case(class_name)), f"keras.src.ops.{module}", class_name, call, **config)

    def config(self, inputs: Sequence[Tensor], output: Tensor) -> dict[str, Any]:
        """The config of the whole model."""
        return functional({"name": self.name}, self.layers, inputs[0] if len(inputs) == 1 else list(inputs), output)

    def _free(self, name: str) -> str:
        same = sum(layer.name.startswith(f"{self.name}_{name}") for layer in self.layers)
        return f"{self.name}_{name}{f'_{same}' if same else ''}"

    def _add(self, name: str, module: str, class_name: str, *calls: Call, **config: Any) -> Tensor:
        self.layers.append(GraphLayer(name, node_entry(module, class_name, {"name": name, **config}), calls))
        return Tensor(name, 0, 0)
