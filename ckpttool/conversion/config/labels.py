"""Labels of layers in the old and in the new model: the names of the layers around a layer and its own, by slashes."""

import itertools
import re
from collections.abc import Container
from typing import NamedTuple

from ckpttool.conversion.config.graphs import numbered_names
from ckpttool.model.arguments import Args
from ckpttool.model.buildability.masks import OPERATIONS
from ckpttool.model.sizes import Shape
from ckpttool.paths import join_path

# The names that Keras 3 gives to the operations that make and merge masks, with a number for each further one. In a
# model with a layer of such a name, it may occur twice, and Keras does not load the model.
_OF_MASKS = re.compile(rf"({'|'.join(sorted(OPERATIONS))})(_\d+)?")


class At(NamedTuple):
    """The place of a layer: its old label, its new one, whether it is in a graph, whose calls build it, and the shape
    and dtype of its input, if known."""

    label: str = ""
    new_label: str = ""
    in_graph: bool = False
    shape: Shape | None = None
    dtype: str | None = None

    def below(
        self, name: str, new_label: str, in_graph: bool = False, shape: Shape | None = None, dtype: str | None = None
    ) -> "At":
        """The place of a layer within this one, by its old name and its new one."""
        return At(join_path(self.label, name), join_path(self.new_label, new_label), in_graph, shape, dtype)


def within(args: Args, at: At) -> At:
    """The place of a layer as that of what is in its arguments: with the shape of a step, if it calls that on each."""
    if args.class_name != "TimeDistributed" or at.shape is None or len(at.shape) < 2:
        return at._replace(shape=None)
    return at._replace(shape=(at.shape[0], *at.shape[2:]))


def keras3_name(name: str, used: Container[str], masked: bool) -> str:
    """The name of a layer in Keras 3: without slashes, and in a model with masks not that of a mask operation."""
    if "/" in name:
        return free_name(name.replace("/", "_"), used)
    return free_name(f"{name}_layer", used) if masked and _OF_MASKS.fullmatch(name) else name


def free_name(name: str, used: Container[str]) -> str:
    """The name if it is free, else the first free one of name_1, name_2 and so on."""
    return next(candidate for candidate in itertools.chain([name], numbered_names(name)) if candidate not in used)
