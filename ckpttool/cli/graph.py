"""`ckpttool graph`."""

import click

from ckpttool.cli import options
from ckpttool.cli.emit import emit_to, warn
from ckpttool.equivalence.graphs import graph as graph_of
from ckpttool.inspection.graph_selection import folded, matching
from ckpttool.render.graph import GRAPH_OUTPUTS, SUFFIXES
from ckpttool.render.graph.mermaid import problem


@click.command("graph", short_help="Draw the layers of a model and the connections between them.")
@click.argument("model", type=click.Path())
@click.argument("other", type=click.Path(), required=False)
@click.option("--match", multiple=True, metavar="GLOB", help="Only layers that match, such as 'block5_*'.")
@click.option("--depth", type=click.IntRange(1), metavar="N", help="Fold models that are nested deeper than N levels.")
@click.option(
    "--output", "-o", type=click.Choice(list(GRAPH_OUTPUTS)), help="Output format [as --output-file says, or mermaid]."
)
@click.option(
    "--output-file",
    type=click.Path(),
    metavar="FILE",
    help=f"Write to this file instead of standard output (-); its name says the format ({', '.join(SUFFIXES)}).",
)
@options.arch
def command(
    model: str,
    other: str | None,
    match: tuple[str, ...],
    depth: int | None,
    output: str | None,
    output_file: str | None,
    arch: str | None,
) -> None:
    """Draw the layers of a model and the connections between them, with classes, output shapes and parameters.

    MODEL is a whole model of any Keras, a SavedModel with Keras's config included, or an architecture in JSON or YAML.
    Neither Keras nor Graphviz is needed. For a file that holds weights alone, --arch names the model. MODEL can also be
    package.module:function, a function of your own that returns a Keras model: that runs your code, in a process of its
    own. A layer that is called several times is drawn once; a model inside the model is a box around its layers.

    With OTHER the picture is that of OTHER, and its colours say what changed from MODEL: layers and connections that
    were added or removed, layers with another config or other weights. The exit code is 0, whatever changed: `ckpttool
    diff` says by its own whether anything did.

    \b
    Examples:
      ckpttool graph model.keras -o mermaid
      ckpttool graph model.keras --output-file model.svg
      ckpttool graph model.keras --output-file model.html
      ckpttool graph before.keras after.keras --output-file changes.svg
      ckpttool graph model.h5 --depth 1 --match 'block5_*'
      ckpttool graph train.models:build --output-file model.svg
      ckpttool graph first.weights.h5 last.weights.h5 --arch model.json -o html
    """
    output = options.file_output(output_file, output, SUFFIXES, "mermaid")
    if output_file is not None:
        options.check_text_file(output_file, [path for path in (model, other) if path])
    before = options.model_of_function(model) or model
    after = other and (options.model_of_function(other) or other)
    graph = matching(folded(graph_of(before, after, architecture=options.architecture(arch)), depth), match)
    text = GRAPH_OUTPUTS[output](graph)
    notes = [problem(text, graph)] if output == "mermaid" else []
    warn(other or model, (), [*graph.notes, *filter(None, notes)])
    emit_to(output_file, text)
