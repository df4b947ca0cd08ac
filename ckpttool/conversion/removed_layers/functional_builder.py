"""A Functional model in the making, that stands in place of one layer that Keras 3 has no more."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from ckpttool.conversion.config.graphs import GraphLayer, functional
from ckpttool.conversion.tensorflow_ops.emitter import constant
from ckpttool.model.class_names import snake_case
from ckpttool.model.graph import Call, Tensor
from ckpttool.model.sizes import Shape


@dataclass(slots=True)
class Composed:
    """The layers and operations so far; `name` is that of the layer in whose place they stand."""

    name: str
    layers: list[GraphLayer] = field(default_factory=list)

    def entered(self, shape: Shape) -> Tensor:
        """A tensor that the layer takes, of this shape."""
        name = self._free("input")
        self._add(name, "keras.layers", "InputLayer", batch_shape=[None, *shape[1:]], dtype="float32")
        return Tensor(name, 0, 0)

    def layer(self, class_name: str, *args: Any, name: str = "", **config: Any) -> Tensor:
        """What comes out of a layer that is called so; `name` is what is put behind the name of the whole."""
        own = self._free(name or snake_case(class_name))
        return self._add(own, "keras.layers", class_name, Call(args), **config)

    def op(self, place: str, *args: Any, **config: Any) -> Tensor:
        """What comes out of an operation such as `numpy.Add`."""
        module, _, class_name = place.partition(".")
        call = Call(tuple(map(constant, args)))
        return self._add(self._free(snake_case(class_name)), f"keras.src.ops.{module}", class_name, call, **config)

    def config(self, inputs: Sequence[Tensor], output: Tensor) -> dict[str, Any]:
        """The config of the whole model."""
        return functional({"name": self.name}, self.layers, inputs[0] if len(inputs) == 1 else list(inputs), output)

    def _free(self, what: str) -> str:
        same = sum(layer.name.startswith(f"{self.name}_{what}") for layer in self.layers)
        return f"{self.name}_{what}{f'_{same}' if same else ''}"

    def _add(self, name: str, module: str, class_name: str, *calls: Call, **config: Any) -> Tensor:
        registered = class_name if module.startswith("keras.src.ops") else None
        entry = {
            "module": module,
            "class_name": class_name,
            "config": {"name": name, **config},
            "registered_name": registered,
        }
        self.layers.append(GraphLayer(name, entry, calls))
        return Tensor(name, 0, 0)
