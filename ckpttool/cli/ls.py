"""`ckpttool ls`."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import click

from ckpttool.checkpoint import Checkpoint, Section
from ckpttool.cli import options
from ckpttool.cli.emit import FAILED, emit, fail, progress, takes_pictures, wants_color, warn
from ckpttool.formats import describe_directory, is_directory_of_checkpoints, open_checkpoint
from ckpttool.inspection.directories import Summary, ls_directory, summary_of
from ckpttool.inspection.listing import SORTS, Choice, list_checkpoint
from ckpttool.io.texts import text_size
from ckpttool.kinds import FORMATS
from ckpttool.render import LISTING_OUTPUTS, SUMMARY_OUTPUTS, Style

if TYPE_CHECKING:
    from ckpttool.inspection.architectures import Expected
    from ckpttool.inspection.cost import InputShapes

_SECTIONS = [section.value for section in Section]


@click.command("ls", short_help="List the layers and weights of checkpoints.")
@click.argument("paths", nargs=-1, required=True, type=click.Path())
@click.option("--match", multiple=True, metavar="GLOB", help="Only layers or weights that match, such as 'block5_*'.")
@click.option("--tree", is_flag=True, help="Show layers as a tree.")
@click.option("--layers", is_flag=True, help="One row a layer, layers without weights included.")
@click.option(
    "--depth", type=click.IntRange(1), metavar="N", help="One row for all layers that share their first N names."
)
@click.option(
    "--section", multiple=True, type=click.Choice([*_SECTIONS, "all"]), help="Sections to list [model, other]."
)
@click.option("--sort", type=click.Choice(list(SORTS)), default="stored", show_default=True, help="Order of the rows.")
@click.option(
    "--stats", is_flag=True, help="Min, max, mean, std, zeros, NaN and Inf of every weight; reads all values."
)
@click.option("--sha256", is_flag=True, help="Checksum of every weight's values; reads all values.")
@click.option("--watch", is_flag=True, help="Follow a directory: list it again whenever a training has saved.")
@options.cost
@options.arch
@options.output(LISTING_OUTPUTS)
@options.color
def command(
    paths: tuple[str, ...],
    match: tuple[str, ...],
    section: tuple[str, ...],
    sort: str,
    stats: bool,
    sha256: bool,
    cost: bool,
    inputs: tuple[tuple[str, tuple[int, ...]], ...],
    output: str,
    color: str,
    layers: bool,
    tree: bool,
    depth: int | None,
    arch: str | None,
    watch: bool,
) -> None:
    """List the layers and weights of checkpoints: names, shapes, dtypes, sizes.

    PATHS are .keras, .weights.h5, .weights.json, .h5 or .hdf5 files of any Keras, architectures in JSON or YAML, specs,
    package.module:function, a function of your own that returns a model and is run, or directories, of which each
    checkpoint gets one line, with its epoch and metric where ckpttool's callback saved it. Content decides, not names.

    \b
    Examples:
      ckpttool ls model.weights.h5
      ckpttool ls model.keras --match 'block5_*' --stats
      ckpttool ls model.keras --layers --cost
      ckpttool ls old.h5 --section all --output json
      ckpttool ls runs/today --watch
    """
    expected = _expected(paths[0], options.cost_inputs(cost, inputs)) if len(paths) == 1 else None
    if expected is not None:
        _refuse_weight_options({"--stats": stats, "--sha256": sha256, "--tree": tree, "--depth": depth, "--arch": arch})
        _show_expected(expected.matching(match), output, color)
        return
    by_layer = _is_by_layer(layers, depth, tree, output, {"--stats": stats, "--sha256": sha256})
    page = output == "html"
    drawn = stats and output == "text" and not (tree or by_layer) and takes_pictures()
    pictures = drawn or (stats and page)
    chosen = _sections(section), match, stats, sha256, sort, options.architecture(arch)
    choice = Choice(*chosen, graph=by_layer or page, pictures=pictures, cost=options.cost_inputs(cost, inputs))
    style = Style(color=wants_color(color), layers=by_layer, tree=tree, depth=depth, sparklines=drawn)
    if watch:
        _watch(paths, page, choice, lambda results: _rendered(results, output, style, single=False))
        return
    results = [result for path in paths for result in _results(Path(path), choice, len(paths) > 1)]
    emit(_rendered(results, output, style, single=len(paths) == 1 and not is_directory_of_checkpoints(Path(paths[0]))))
    if not all(_check_complete(result, choice) for result in results):
        raise click.exceptions.Exit(FAILED)


def _show_expected(expected: "Expected", output: str, color: str) -> None:
    from ckpttool.render.expected_weights import EXPECTED_OUTPUTS

    emit(EXPECTED_OUTPUTS[output](expected, Style(color=wants_color(color))))


def _expected(path: str, cost: "InputShapes | None") -> "Expected | None":
    """The weights that an architecture, a spec or the model of a function expects; None for files of weights."""
    own = options.model_of_function(path)
    if own is not None:
        from ckpttool.inspection.architectures import expected_by_architecture

        return expected_by_architecture(own, path, cost)
    if text_size(path) is None:
        return None
    from ckpttool.inspection.architectures import expected_in

    return expected_in(path, cost)


def _is_by_layer(layers: bool, depth: int | None, tree: bool, output: str, figures: Mapping[str, bool]) -> bool:
    """Whether each layer has one row. Raises UsageError where figures of weights are asked for that it, or a tree, does
    not show."""
    by_layer = layers or (depth is not None and not tree)
    names = [name for name, value in figures.items() if value]
    if names and ((by_layer and output != "html") or (tree and output == "text")):
        raise click.UsageError(
            f"{', '.join(names)}: figures of single weights, which --layers, --depth and --tree do not show; "
            "leave these out, or choose --output html"
        )
    return by_layer


def _refuse_weight_options(options: Mapping[str, object]) -> None:
    """Raise UsageError where an option was used that only makes sense for a file with weights."""
    names = [name for name, value in options.items() if value]
    if names:
        raise click.UsageError(
            f"{', '.join(names)}: an architecture or a spec stores no weights; leave this out, or name a checkpoint"
        )


def _sections(chosen: tuple[str, ...]) -> frozenset[Section]:
    """The sections to list: `model` and `other` where none is named, every one with `all`."""
    if "all" in chosen:
        return frozenset()
    return frozenset(map(Section, chosen)) or frozenset({Section.MODEL, Section.OTHER})


def _results(path: Path, choice: Choice, several: bool) -> list[Summary]:
    """The summaries of a path: one, or those of all checkpoints in a directory. Raises CheckpointError for a single
    path."""
    if not is_directory_of_checkpoints(path):
        return [_report(summary_of(path, choice, _progress(choice)))] if several else [_listed(path, choice)]
    directory = ls_directory(path, choice, _progress(choice))
    warn(str(path), (), directory.problems)
    return [_report(summary) for summary in directory.summaries] or [_report_nothing_in(path)]


def _watch(paths: tuple[str, ...], page: bool, choice: Choice, render: Callable[[list[Summary]], str]) -> None:
    """Follow the one directory that is named. Raises UsageError where it is none, and for a page."""
    from ckpttool.cli.watch import follow  # here, since few listings follow anything

    directory = Path(paths[0])
    if len(paths) > 1 or not directory.is_dir():
        raise click.UsageError("--watch follows one directory")
    if page:
        raise click.UsageError("--watch prints one listing after another, and html is one page: choose another output")
    follow(directory, lambda: render(list(ls_directory(directory, choice).summaries)))


def _report(summary: Summary) -> Summary:
    """Write the errors of a summary and the warnings of its listing to standard error. Returns the summary."""
    for message in summary.messages:
        fail(message)
    if summary.listing is not None:
        warn(str(summary.path), summary.listing.refusals, summary.listing.notes)
    return summary


def _report_nothing_in(directory: Path) -> Summary:
    error = describe_directory(directory).at(path=str(directory))
    return _report(Summary(directory, None, error.what, messages=(str(error),)))


def _listed(path: Path, choice: Choice) -> Summary:
    with open_checkpoint(path) as checkpoint:
        listing = list_checkpoint(checkpoint, choice, _progress(choice)(checkpoint))
    return _report(Summary(path, listing))


def _progress(choice: Choice) -> Callable[[Checkpoint], Callable[[int], None]]:
    """The progress bars of the checkpoints to be listed; none where values are not read."""
    return lambda checkpoint: progress(sum(w.nbytes for w in checkpoint.values()) if choice.reads else 0)


def _rendered(results: list[Summary], output: str, style: Style, single: bool) -> str:
    if single and results[0].listing is not None:
        return LISTING_OUTPUTS[output](results[0].listing, style)
    return SUMMARY_OUTPUTS[output](results, style)


def _check_complete(result: Summary, choice: Choice) -> bool:
    """Return whether a result is complete; print an error where nothing matched."""
    if result.listing is None or FORMATS[result.listing.kind].is_foreign or (result.record and result.record.damage):
        return False
    if choice.match and not result.listing.rows:
        fail(f"{result.path}: nothing matches {', '.join(choice.match)}")
        return False
    return True
