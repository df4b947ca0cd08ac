"""`ckpttool ls`."""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import click

from ckpttool.checkpoint import Checkpoint, Section
from ckpttool.cli import options
from ckpttool.cli.emit import FAILED, emit, fail, progress, wants_color, warn
from ckpttool.errors import CheckpointError, FileAccessError
from ckpttool.escape import printable
from ckpttool.formats import checkpoints_in, is_directory_of_checkpoints, open_checkpoint
from ckpttool.inspection.listing import SORTS, Choice, Listing, list_checkpoint
from ckpttool.model.text_files import text_size
from ckpttool.render import LISTING_OUTPUTS, SUMMARY_OUTPUTS, Style, Summary

if TYPE_CHECKING:
    from ckpttool.inspection.architectures import Expected
    from ckpttool.manifest import Record

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
    output: str,
    color: str,
    layers: bool,
    tree: bool,
    depth: int | None,
    arch: str | None,
) -> None:
    """List the layers and weights of checkpoints: names, shapes, dtypes, sizes.

    PATHS are .keras, .weights.h5, .weights.json, .h5 or .hdf5 files of any Keras, or directories, of which each
    checkpoint gets one line, with its epoch and metric where ckpttool's callback saved it. The content of a file
    decides what it is, not its name.

    \b
    Examples:
      ckpttool ls model.weights.h5
      ckpttool ls model.keras --match 'block5_*' --stats
      ckpttool ls old.h5 --section all --output json
    """
    expected = _expected(paths[0]) if len(paths) == 1 else None
    if expected is not None:
        _refuse_weight_options({"--stats": stats, "--sha256": sha256, "--tree": tree, "--depth": depth, "--arch": arch})
        from ckpttool.render.expected import EXPECTED_OUTPUTS

        emit(EXPECTED_OUTPUTS[output](expected.matching(match), Style(color=wants_color(color))))
        return
    architecture = None
    if arch is not None:
        from ckpttool.alignment.architectures import load_architecture

        architecture = load_architecture(arch)
    by_layer = layers or (depth is not None and not tree)
    page = output == "html"
    choice = Choice(_sections(section), match, stats, sha256, sort, architecture, by_layer or page, stats and page)
    style = Style(color=wants_color(color), layers=by_layer, tree=tree, depth=depth)
    results = [result for path in paths for result in _results(Path(path), choice, len(paths) > 1)]
    emit(_rendered(results, output, style, single=len(paths) == 1 and not is_directory_of_checkpoints(Path(paths[0]))))
    if not all(_complete(result, choice) for result in results):
        raise click.exceptions.Exit(FAILED)


def _expected(path: str) -> "Expected | None":
    """The weights that an architecture or a spec expects; None for other files, which need none of its modules."""
    if text_size(path) is None:
        return None
    from ckpttool.inspection.architectures import expected_in

    return expected_in(path)


def _refuse_weight_options(options: Mapping[str, object]) -> None:
    """Raise UsageError where an option was used that only makes sense for a file with weights."""
    names = [name for name, value in options.items() if value]
    if names:
        raise click.UsageError(
            f"{', '.join(names)}: an architecture or a spec is a list of layers, and stores no weights"
        )


def _sections(chosen: tuple[str, ...]) -> frozenset[Section]:
    """The sections to list: `model` and `other` where none is named, every one with `all`."""
    if "all" in chosen:
        return frozenset()
    return frozenset(map(Section, chosen)) or frozenset({Section.MODEL, Section.OTHER})


def _results(path: Path, choice: Choice, several: bool) -> list[Summary]:
    """The listings of a path: one, or those of all checkpoints in a directory. Raises CheckpointError for a single
    path."""
    if is_directory_of_checkpoints(path):
        return list(_inside(path, choice)) or [_nothing_in(path)]
    return [_attempt(path, choice)] if several else [Summary(path, _listed(path, choice))]


def _inside(directory: Path, choice: Choice) -> Iterator[Summary]:
    """The checkpoints in a directory: first those of its manifest, oldest first, then those of TensorFlow's state file,
    then the rest by name."""
    from ckpttool.formats.tensorflow.places import kept_in
    from ckpttool.manifest import MISSING, NAME

    try:
        recorded = {directory / record.saved.file: record for record in _records(directory)}
    except CheckpointError as error:
        fail(str(error))
        yield Summary(directory / NAME, None, error.what)
        recorded = {}
    for path, record in recorded.items():
        if record.damage:
            fail(f"{printable(str(path))}: {printable(record.damage)}")
        summary = Summary(path, None, record.damage) if record.damage == MISSING else _attempt(path, choice)
        yield replace(summary, record=record)
    managed = {path: entry for path, entry in kept_in(directory).items() if path not in recorded}
    yield from (replace(_attempt(path, choice), managed=entry) for path, entry in managed.items())
    others = (path for path in checkpoints_in(directory) if path not in recorded and path not in managed)
    yield from (_attempt(path, choice) for path in others)


def _records(directory: Path) -> "tuple[Record, ...]":
    """The records in the manifest of a directory, none where there is no manifest."""
    from ckpttool.manifest import read_manifest, records  # only directories have one

    manifest = read_manifest(directory)
    warn(str(directory), (), manifest.problems)
    return records(directory, manifest)


def _nothing_in(directory: Path) -> Summary:
    error = FileAccessError(
        "holds no checkpoint",
        path=str(directory),
        expected=".keras, .weights.h5, .weights.json, .h5, .hdf5 or .index files in it",
        hint="name a directory further down; they are not searched",
    )
    fail(str(error))
    return Summary(directory, None, error.what)


def _attempt(path: Path, choice: Choice) -> Summary:
    try:
        return Summary(path, _listed(path, choice))
    except CheckpointError as error:
        fail(str(error))
        return Summary(path, None, error.what)


def _listed(path: Path, choice: Choice) -> Listing:
    with open_checkpoint(path) as checkpoint:
        listing = list_checkpoint(checkpoint, choice, progress(_work(checkpoint, choice)))
    warn(str(path), listing.refusals, listing.notes)
    return listing


def _work(checkpoint: Checkpoint, choice: Choice) -> int:
    return sum(weight.nbytes for weight in checkpoint.values()) if choice.reads else 0


def _rendered(results: list[Summary], output: str, style: Style, single: bool) -> str:
    if single and results[0].listing is not None:
        return LISTING_OUTPUTS[output](results[0].listing, style)
    return SUMMARY_OUTPUTS[output](results, style)


def _complete(result: Summary, choice: Choice) -> bool:
    """Whether a result is complete; prints an error where nothing matched."""
    if result.listing is None or result.listing.kind == "hdf5" or (result.record and result.record.damage):
        return False
    if choice.match and not result.listing.rows:
        fail(f"{result.path}: nothing matches {', '.join(choice.match)}")
        return False
    return True
