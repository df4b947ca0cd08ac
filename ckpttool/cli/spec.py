"""`ckpttool spec`."""

import click

from ckpttool.alignment.architectures import load_spec
from ckpttool.cli import options
from ckpttool.cli.emit import emit_to
from ckpttool.model.spec import spec_of, to_json


@click.command("spec", short_help="Write a list of the weights that an architecture expects.")
@click.argument("architecture", type=click.Path())
@click.option("--output-file", "-o", type=click.Path(), help="Write to this file instead of standard output (-).")
def command(architecture: str, output_file: str | None) -> None:
    """Write a list of the weights that ARCHITECTURE expects: names, shapes, dtypes and places, one line a weight.

    The spec is a small JSON file, made to be kept beside the code: its changes can be reviewed, and `ckpttool verify`
    takes it in place of the architecture, where neither Keras nor your code is installed. ARCHITECTURE is what `verify`
    takes; package.module:function, a function of your own that returns a Keras model, runs your code in a process of
    its own.

    \b
    Examples:
      ckpttool spec model.keras -o model.spec.json
      ckpttool spec train.models:build -o model.spec.json
      ckpttool verify nightly.weights.h5 model.spec.json
    """
    if output_file is not None:
        options.check_text_file(output_file, [architecture])
    own = options.model_of_function(architecture)
    text = to_json(load_spec(architecture) if own is None else spec_of(own))
    emit_to(output_file, text.rstrip("\n"))
