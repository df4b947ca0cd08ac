"""The operations on masks that Keras adds to a graph while it connects it, and their names.

Where a layer that takes a mask is called on a tensor that has one, the operations that made the mask become part of the
graph (`Layer.__call__`, keras/src/layers/layer.py, 3.15): the mask is added to the arguments of the call that the graph
records. Where Keras converts the arguments first, the mask is added to converted ones, and the graph has no such
operations: in a call on a list, or with further arguments, of a layer that is no Functional model. Keras makes up the
names, numbered anew in each process, so that they may be those of layers. A config that Keras 3 wrote passes the masks
by name, and makes none.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ckpttool.model.buildability.values import Layer, Node, Tensor
from ckpttool.model.layers.layer_type import MaskUse
from ckpttool.model.layers.recurrent import gives_sequences
from ckpttool.model.layers.table import LAYERS, classes, of_kind

_Mask = frozenset[str] | None
"""The names of the operations that a mask is made of, None where there is none."""

_RECURRENT = of_kind("recurrent")
_ELEMENTWISE = of_kind("elementwise merge")
_TAKING = classes(lambda row: MaskUse.TAKEN in row.masks)
_PASSING = classes(lambda row: MaskUse.PASSED_NOW in row.masks) & LAYERS.keys()


@dataclass(slots=True)
class Masks:
    """The masks of the tensors of a graph. `name_counts` counts the names that Keras has made up so far, in all models
    that it loads together; `taken` are the names of the operations of which each layer takes a mask."""

    name_counts: Counter[str]
    known: dict[int, _Mask] = field(default_factory=dict)
    taken: dict[int, set[str]] = field(default_factory=dict)

    def called(self, layer: Layer, node: Node, kwargs: Mapping[str, Any]) -> None:
        """Note what a call does with the masks of its inputs."""
        if kwargs.get("mask") is not None or not node.flat:
            return
        first = node.inputs if layer.class_name in _MERGING else node.inputs[:1]
        masks = [self.known.get(id(tensor)) for tensor in first]
        is_converted = len(node.inputs) > 1 or (bool(kwargs) and layer.class_name != "Functional")
        if layer.class_name in _TAKING and not is_converted:
            self.taken.setdefault(id(layer), set()).update(*(mask for mask in masks if mask))
        mask = self.after(layer, first, masks)
        if mask is not None:
            self.known |= {id(tensor): mask for tensor in node.flat}

    def after(self, layer: Layer, inputs: Sequence[Tensor], masks: Sequence[_Mask]) -> _Mask:
        """The mask of what comes out of a layer."""
        name = layer.class_name
        if name == "Masking" or (name == "Embedding" and layer.arguments.get("mask_zero") is True):
            return frozenset(self.named(("not_equal", "any")[: 2 if name == "Masking" else 1]))
        if name == "Concatenate":
            return self.concatenated(inputs, masks)
        if name in _ELEMENTWISE:
            every = None not in masks
            return frozenset().union(*(mask or () for mask in masks), self._or(masks)) if every and masks else None
        if name in _RECURRENT:
            return masks[0] if masks and gives_sequences(layer.class_name, layer.config) else None
        return masks[0] if masks and name in _PASSING else None

    def concatenated(self, inputs: Sequence[Tensor], masks: Sequence[_Mask]) -> _Mask:
        """The mask of a Concatenate (`Concatenate.compute_mask`, keras/src/layers/merging/concatenate.py, 3.15)."""
        if all(mask is None for mask in masks):
            return None
        names = set[str]().union(*(mask or () for mask in masks))
        for mask, tensor in zip(masks, inputs, strict=True):
            wide = tensor.shape is None or len(tensor.shape) > 2
            names.update(self.named(("ones_like",) if mask is None else _WIDENED if wide else ()))
        return frozenset((*names, *self.named(("concatenate", "any"))))

    def _or(self, masks: Sequence[_Mask]) -> set[str]:
        return set(self.named(["logical_or"] * (len(masks) - 1)))

    def named(self, kinds: Iterable[str]) -> list[str]:
        """The names of new operations."""
        names = []
        for kind in kinds:
            count = self.name_counts[kind]
            self.name_counts[kind] += 1
            names.append(f"{kind}_{count}" if count else kind)
        return names


_MERGING = _ELEMENTWISE | {"Concatenate"}
_WIDENED = ("expand_dims", "zeros_like", "logical_or")
OPERATIONS = frozenset({"not_equal", "any", "concatenate", "ones_like", *_WIDENED})
"""The names that Keras makes up for operations on masks, before it numbers them."""
