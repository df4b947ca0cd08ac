"""Notes taken while a config is followed: own objects, reasons why Keras raises, objects that are shared."""

from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, NamedTuple, TypeVar

from ckpttool.model.buildability.result import Obstacle, OwnObject
from ckpttool.model.buildability.values import Own
from ckpttool.model.sizes import Shape

T = TypeVar("T")


MAX_CALLS = 10_000  # models that call others twice each ask for more than any machine can do


class Refused(Exception):
    """Keras raises here. Only within this package; what leaves it are obstacles."""

    def __init__(self, obstacle: Obstacle) -> None:
        super().__init__(obstacle.why)
        self.obstacle = obstacle


class Steps(NamedTuple):
    """The steps of deserialization that lead back to its beginning: a model is made of layers that are made of configs,
    and called while other layers are. They are handed down, so that no module needs itself.

    `make` gives the object of a class for its place, its config and its entry. `build` builds a Sequential model for a
    shape. `output_shapes` gives the shapes that come out of a call of a layer.
    """

    make: Callable[..., Any]
    build: Callable[..., None]
    output_shapes: Callable[..., list[Shape | None] | None]


@dataclass
class Context:
    """The state of following one config.

    `path` are the names of the layers around, `unknown` the own objects so far, `obstacles` those after which other
    layers were looked at all the same. `shared` are the objects by `shared_object_id`, None where the loader shares
    none. `legacy` says that the loader replaces names of own functions by them. `recomputed` are the shapes that come
    out of models for others than their own inputs; `budget` is how many more calls in them are followed.
    `name_counts` are the names that Keras makes up, with the number of times that it did.
    `misread` are arguments that Keras drops.
    """

    steps: Steps
    path: list[str] = field(default_factory=list)
    unknown: list[OwnObject] = field(default_factory=list)
    obstacles: list[Obstacle] = field(default_factory=list)
    shared: dict[Any, Any] | None = None
    legacy: bool = False
    recomputed: dict[Any, Any] = field(default_factory=dict)
    budget: int = MAX_CALLS
    name_counts: Counter[str] = field(default_factory=Counter)
    misread: list[Obstacle] = field(default_factory=list)

    @property
    def where(self) -> str:
        """The chain of names down to here."""
        return "/".join(self.path)

    @contextmanager
    def below(self, name: Any) -> Iterator[None]:
        """Everything inside belongs to the layer of this name."""
        self.path.append(name if isinstance(name, str) else "?")
        try:
            yield
        finally:
            self.path.pop()

    def attempt(self, step: Callable[[], T]) -> "T | Refused":
        """The result of a step; where Keras raises in it, the reason is noted."""
        try:
            return step()
        except Refused as refused:
            self.note(refused)
            return refused

    def note(self, refused: Refused) -> None:
        """Keep an obstacle."""
        if refused.obstacle not in self.obstacles:
            self.obstacles.append(refused.obstacle)

    def refused(self, class_name: Any, argument: str, why: str) -> Refused:
        """Why Keras raises, to be raised."""
        name = class_name if isinstance(class_name, str) else shown(class_name)
        return Refused(Obstacle(self.where, name, argument, why))

    def spend(self) -> None:
        """Count a call in a model that is called again. Raises Refused where there were too many."""
        self.budget -= 1
        if self.budget < 0:
            raise self.refused("", "call", f"models call others in them more than {MAX_CALLS:,} times")

    def own(self, name: Any, module: Any = None) -> Own:
        """Note an object of the user's."""
        own_object = OwnObject(str(name), self.where, module if isinstance(module, str) else "")
        if own_object not in self.unknown:
            self.unknown.append(own_object)
        return Own(str(name))


def shown(value: Any) -> str:
    """A value as a reason shows it: short, whatever it is."""
    if isinstance(value, dict):
        name = value.get("class_name")
        return f"an object of class {name}" if isinstance(name, str) else f"an object with {len(value)} keys"
    if isinstance(value, list | tuple) and len(value) > 4:
        return f"a list of {len(value)}"
    if isinstance(value, list | tuple):
        return f"[{', '.join(map(shown, value))}]"
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    text = repr(value) if isinstance(value, str | int | float) else str(value)
    return text if len(text) <= 60 else f"{text[:60]}..."
