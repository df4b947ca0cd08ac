"""Where the layouts of Keras keep the slots of a layer."""

from collections.abc import Mapping

from ckpttool.architecture.args import Args, ConfigError
from ckpttool.architecture.config import Layer
from ckpttool.architecture.slots import Slot, in_path_layout
from ckpttool.architecture.table import part_of


def slots_of(layer: Layer) -> Mapping[str, Slot]:
    """The slots of a layer and of what it holds, by their paths below the layer's own in the layout of `.weights.h5`
    (`vars/0`, `cell/vars/1`). Empty where the class is not known or the config makes no sense."""
    try:
        args = Args.of(layer.entry)
        return {path: slot for path, _, slot in in_path_layout(part_of(args.class_name, args, args.built))}
    except ConfigError:
        return {}


def fits(slot: Slot, shape: tuple[int, ...]) -> bool:
    """Whether an array of this shape can be the weight of a slot, as far as the slot's shape is known."""
    if slot.shape is None:
        return True
    pairs = zip(slot.shape, shape, strict=False)
    return len(slot.shape) == len(shape) and all(size in (None, stored) for size, stored in pairs)
