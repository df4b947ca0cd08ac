"""Options and arguments that several commands share."""

import os
from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any, TypeVar

import click

from ckpttool.cli.emit import say
from ckpttool.io.scalars import digits
from ckpttool.io.texts import names_function

if TYPE_CHECKING:
    from ckpttool.inspection.cost import InputShapes
    from ckpttool.model import Architecture

F = TypeVar("F", bound=Callable[..., Any])


def output(choices: Iterable[str]) -> Callable[[F], F]:
    """The option `--output` with the outputs of a command."""
    return click.option(
        "--output", "-o", type=click.Choice(list(choices)), default="text", show_default=True, help="Output format."
    )


arch = click.option(
    "--arch",
    type=click.Path(),
    metavar="MODEL",
    help="Take names and classes of layers from this model: a file, or package.module:function.",
)


part = click.option(
    "--part",
    default="",
    metavar="NAME",
    help="The model to take of several in a checkpoint of TensorFlow, by the name that it was saved under.",
)


_MOST = 10**9  # for a size of an input


class _InputShape(click.ParamType[tuple[str, tuple[int, ...]]]):
    """The shape of an input, sizes with commas between them, the name of the input and `=` in front if it has one."""

    name = "shape"

    def convert(
        self, value: object, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[str, tuple[int, ...]]:
        name, _, text = str(value).rpartition("=")
        sizes = [digits(size.strip()) for size in text.strip("() ").removesuffix(",").split(",")]
        shape = tuple(size for size in sizes if size is not None and 0 < size < _MOST)
        if len(shape) < len(sizes):
            self.fail(f"{value}: expected sizes from 1 on, the batch first, such as 1,224,224,3 or image=1,224,224,3")
        return name, shape


def cost(function: F) -> F:
    """The options `--cost` and `--input`."""
    function = click.option(
        "--input",
        "inputs",
        multiple=True,
        type=_InputShape(),
        metavar="SHAPE",
        help="With --cost: the shape of an input, such as 1,224,224,3 or image=1,224,224,3 [as declared, batch of 1].",
    )(function)
    return click.option("--cost", is_flag=True, help="Count operations and memory of one run of the model.")(function)


def cost_inputs(cost: bool, inputs: "tuple[tuple[str, tuple[int, ...]], ...]") -> "InputShapes | None":
    """The input shapes for which the cost is asked for; None where it is not. Raises UsageError."""
    if not cost:
        if inputs:
            raise click.UsageError("--input says for which inputs --cost counts: give both")
        return None
    names = [name for name, _ in inputs if name]
    if len(names) not in (0, len(inputs)):
        raise click.UsageError("--input: give all inputs with their names, or none")
    return dict(inputs) if names else tuple(shape for _, shape in inputs)


color = click.option(
    "--color",
    type=click.Choice(["auto", "always", "never"]),
    default="auto",
    show_default=True,
    help="Colour; auto means on a terminal and without NO_COLOR.",
)


def architecture(text: str | None) -> "Architecture | None":
    """The architecture that an option names: in a file, or of the model that a function of the user's own returns; None
    where it is not given. Prints a note where that runs code."""
    if text is None:
        return None
    from ckpttool.alignment.architectures import load_architecture  # most commands need none

    return model_of_function(text) or load_architecture(text)


def model_of_function(text: str) -> "Architecture | None":
    """The architecture of the model that `package.module:function` returns; None where a text names no function.

    Prints a note, as that runs code.
    """
    if not runs(text):
        return None
    from ckpttool.model.live.user_function import architecture_of_function

    return architecture_of_function(text)


def runs(architecture: str | None) -> bool:
    """Whether an argument names a function of the user's own, and not a file; prints a note where it does, as that
    runs code."""
    if not names_function(architecture):
        return False
    say(f"note: running {architecture} in a process of its own")
    return True


def file_output(output_file: str | None, output: str | None, suffixes: Mapping[str, str], default: str) -> str:
    """The output in which a file is written: as --output says, else as the ending of its name does.

    Raises UsageError where the two contradict each other, and for an ending that says nothing where --output does not
    either. `-` is standard output.
    """
    if output_file is None or output_file == "-":
        return output or default
    name = os.path.basename(output_file)
    named = suffixes.get(os.path.splitext(name)[1].lower())
    if output is None and named is None:
        raise click.UsageError(f"{name}: expected a name that ends in {', '.join(suffixes)}, or the format by --output")
    if output is not None and named not in (None, output):
        raise click.UsageError(f"{name}: its ending says {named}, and --output says {output}: name the same in both")
    return output or named or default


def check_text_file(path: str, inputs: Iterable[str]) -> None:
    """Refuse to write a text over an input of the command or over any checkpoint: before any work that would be lost.

    `-` is standard output. Raises FileAccessError.
    """
    if path == "-":
        return
    from ckpttool.io.replacement import refuse_checkpoint, refuse_inputs

    refuse_inputs(path, inputs)
    refuse_checkpoint(path)
