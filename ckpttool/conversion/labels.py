"""Labels of layers, the chains of the names of what holds them and their own, in the old model and in the new one."""

from dataclasses import dataclass

from ckpttool.architecture.sizes import Shape


@dataclass(frozen=True, slots=True)
class At:
    """Where a layer is: its old label, its new one, whether it takes part in a graph whose calls build it, and the
    shape of its input, if known."""

    label: str = ""
    today: str = ""
    in_graph: bool = False
    shape: Shape | None = None

    def below(self, name: str, today: str, in_graph: bool = False, shape: Shape | None = None) -> "At":
        """A layer of this name in it, and of that one today."""
        return At(joined(self.label, name), joined(self.today, today), in_graph, shape)


def joined(label: str, name: str) -> str:
    """The label of what is called `name` in a layer, or in the model itself."""
    return f"{label}/{name}" if label else name
