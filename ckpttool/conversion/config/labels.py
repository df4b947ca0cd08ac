"""Labels of layers, the chains of the names of what holds them and their own, in the old model and in the new one."""

import itertools
import re
from collections.abc import Container
from typing import NamedTuple

from ckpttool.conversion.config.graphs import numbered_names
from ckpttool.model.buildability.masks import OPERATIONS
from ckpttool.model.sizes import Shape
from ckpttool.paths import join_path

# The names that Keras 3 gives to the operations that make masks and put them together, numbered as it meets them; a
# model with a layer of such a name may have it twice, and is not loaded.
_OF_MASKS = re.compile(rf"({'|'.join(sorted(OPERATIONS))})(_\d+)?")


class At(NamedTuple):
    """Where a layer is: its old label, its new one, whether it takes part in a graph whose calls build it, and the
    shape and dtype of its input, if known."""

    label: str = ""
    today: str = ""
    in_graph: bool = False
    shape: Shape | None = None
    dtype: str | None = None

    def below(
        self, name: str, today: str, in_graph: bool = False, shape: Shape | None = None, dtype: str | None = None
    ) -> "At":
        """A layer of this name in it, and of that one today."""
        return At(join_path(self.label, name), join_path(self.today, today), in_graph, shape, dtype)


def name_today(name: str, used: Container[str], masked: bool) -> str:
    """The name of a layer without slashes, and in a model with masks none that an operation on masks has."""
    if "/" in name:
        return free_name(name.replace("/", "_"), used)
    return free_name(f"{name}_layer", used) if masked and _OF_MASKS.fullmatch(name) else name


def free_name(name: str, used: Container[str]) -> str:
    """The name, or where it is used, the first with a number behind it that is not."""
    return next(one for one in itertools.chain([name], numbered_names(name)) if one not in used)
