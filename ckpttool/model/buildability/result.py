"""The answer to whether Keras 3.15 builds a config, with its reasons."""

from dataclasses import dataclass

from ckpttool.escape import brief


@dataclass(frozen=True, slots=True)
class Obstacle:
    """One reason why Keras 3.15 does not build a config.

    `where` is the chain of layer names ("encoder/lstm"), or "compile", "compile/optimizer" and so on; empty for the
    model itself. `argument` is the argument or the call, empty where the class itself is the reason. `why` says what
    was found and what Keras takes. `outside` says that it reads a file that is no part of the checkpoint, which Keras
    does with safe_mode=False, where that file is. `backend` is the one on which Keras builds it all the same, if any.
    """

    where: str
    class_name: str
    argument: str
    why: str
    outside: bool = False
    backend: str = ""

    __repr__ = brief

    @property
    def description(self) -> str:
        """The place and the reason."""
        place = f"layer {self.where}" if self.where and not self.where.startswith("compile") else self.where
        return ": ".join(filter(None, (place, self.reason)))

    @property
    def reason(self) -> str:
        """The argument, where that is not said yet, and why."""
        return f"{self.argument}: {self.why}" if self.argument and self.argument not in self.why else self.why


@dataclass(frozen=True, slots=True)
class OwnObject:
    """A class or function that is none of Keras's: the name under which Keras looks for it, and where it stands.

    `module` is the module that the config names, empty where it names none.
    """

    name: str
    where: str
    module: str = ""

    __repr__ = brief


@dataclass(frozen=True, slots=True)
class Buildability:
    """Whether Keras 3.15 builds a config.

    `obstacles` are reasons why `load_model(compile=False)` raises, `compile_obstacles` why only a compiled load does.
    `misread` are arguments that Keras drops, so that it builds a layer that computes something else.
    `unknown` are own classes and functions: what they take, and what comes out of them, only the user's code tells.
    """

    obstacles: tuple[Obstacle, ...] = ()
    compile_obstacles: tuple[Obstacle, ...] = ()
    unknown: tuple[OwnObject, ...] = ()
    misread: tuple[Obstacle, ...] = ()

    __repr__ = brief

    def own_names(self, compiled: bool = True) -> tuple[str, ...]:
        """The names of the own classes and functions that the user has to give, also those to compile the model with
        where it is to be `compiled`."""
        needed = (
            own_object for own_object in self.unknown if compiled or own_object.where.partition("/")[0] != "compile"
        )
        return tuple(dict.fromkeys(own_object.name for own_object in needed))

    @property
    def builds(self) -> bool:
        """Whether Keras builds the model without compiling it, given the user's own classes and functions."""
        return not self.obstacles

    @property
    def compiles(self) -> bool:
        """Whether Keras builds and compiles the model, given the user's own classes and functions."""
        return not self.obstacles and not self.compile_obstacles
