"""Text for people at a terminal."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from ckpttool.checkpoint import Section
from ckpttool.escape import printable
from ckpttool.formats import FORMATS
from ckpttool.inspection.listing import MAX_DEPTH, LayerRow, Listing, Row, Total
from ckpttool.render.costs import COST_HEADERS, cost_facts
from ckpttool.render.plain_tables import plain_table
from ckpttool.render.style import Style, count_of, pretty_layer, producer, shape, size
from ckpttool.render.tables import (
    SUMMARY_HEADERS,
    by_training,
    cut_to_depth,
    layer_cells,
    layer_headers,
    shown_rows,
    summary_cells,
    totals,
    weight_cells,
    weight_headers,
)

if TYPE_CHECKING:
    from ckpttool.alignment.vocabularies import Lookup
    from ckpttool.comparison import Diff
    from ckpttool.inspection.directories import Summary
    from ckpttool.inspection.info import Info
    from ckpttool.model.support import Support
    from ckpttool.render import diffs
    from ckpttool.saved_model import SavedModel, Tensor
    from ckpttool.verification import VerifyResult

_RIGHT = frozenset(
    {"params", "size", "weights", "min", "max", "mean", "std", "zeros", "NaN", "Inf", "epoch", "step", *COST_HEADERS}
)
_SHOWN = 5
_SIGNATURES = 10
_BOLD, _PLAIN = "\x1b[1m", "\x1b[0m"
_RED, _GREEN = "\x1b[31m", "\x1b[32m"
_KERAS_3 = "Keras 3, which TensorFlow has from 2.16 on; weights for Keras 2: ckpttool convert MODEL for_keras_2.h5"
_SECTION_GUESS = " (guessed from the names of variables)"
_SECTION_LABELS = {
    Section.MODEL: "weights",
    Section.OPTIMIZER: "optimizer state",
    Section.METRICS: "metrics state",
    Section.OTHER: "other arrays",
}


def listing(result: Listing, style: Style) -> str:
    """A listing: the facts of the file, its weights, and the totals."""
    body = _tree(result, style) if style.tree else _layers(result, style) if style.layers else _weights(result, style)
    blocks = [_headline(result, style), body, "\n".join(totals(result))]
    return "\n\n".join(block for block in blocks if block)


def _headline(result: Listing, style: Style) -> str:
    facts = [FORMATS[result.kind].title, producer(result.producer), size(result.size)]
    head = f"{_BOLD}{printable(str(result.path))}{_PLAIN}" if style.color else printable(str(result.path))
    return f"{head}\n{', '.join(fact for fact in facts if fact)}"


def _weights(result: Listing, style: Style) -> str:
    if not result.rows:
        return ""
    titles = [*weight_headers(result), *(["histogram"] if style.sparklines else [])]
    cells, above = [], ("", "")
    for row in shown_rows(result):
        line = weight_cells(row, titles)
        name = (row.layer, row.class_name or "")
        if name == above:
            line[0] = ""
            line[1] = "" if "class" in titles else line[1]
        above = name
        cells.append(line)
    return table(cells, titles)


def _layers(result: Listing, style: Style) -> str:
    titles = layer_headers(result)
    rows = (layer_cells(layer) for layer in cut_to_depth(result.by_layer(), style.depth))
    return table([cells[: len(titles)] for cells in rows], titles)


def table(cells: list[list[str]], titles: list[str]) -> str:
    """A table without its empty columns."""
    columns = [column for column in range(len(titles)) if column == 0 or any(line[column] for line in cells)]
    align = ["right" if titles[column] in _RIGHT else "left" for column in columns]
    body = [[line[column] for column in columns] for line in cells]
    return plain_table(body, [titles[column] for column in columns], align)


class _Node:
    """One name in the tree of layers: the layer whose path ends here, if one does, and the names below."""

    __slots__ = ("below", "layer")

    def __init__(self) -> None:
        self.layer: LayerRow | None = None
        self.below: dict[str, _Node] = {}


def _tree(result: Listing, style: Style) -> str:
    """The layers as a tree of their names, weights as leaves."""
    root = _Node()
    for layer in cut_to_depth(result.by_layer(), style.depth):
        node = root
        for name in (layer.layer or "(model)").split("/", MAX_DEPTH):
            node = node.below.setdefault(name, _Node())
        node.layer = layer
    return "\n".join(_branches(root, ""))


def _branches(node: _Node, indent: str) -> Iterator[str]:
    leaves = [_leaf(row) for row in node.layer.rows] if node.layer else []
    for number, leaf in enumerate(leaves):
        last = number + 1 == len(leaves) and not node.below
        yield f"{indent}{'└─' if last else '├─'} {leaf}"
    for number, (name, child) in enumerate(node.below.items()):
        last = number + 1 == len(node.below)
        yield f"{indent}{'└─' if last else '├─'} {_branch_title(name, child.layer)}"
        yield from _branches(child, indent + ("   " if last else "│  "))


def _branch_title(name: str, layer: LayerRow | None) -> str:
    if layer is None:
        return printable(name, 200)
    facts = [layer.class_name or "", "frozen" if layer.frozen else ""]
    note = ", ".join(printable(fact, 100) for fact in facts if fact)
    return printable(pretty_layer(name, layer.inferred), 200) + (f" ({note})" if note else "")


def _leaf(row: Row) -> str:
    weight = row.weight
    return f"{printable(row.label, 200)}  {shape(weight.shape)} {printable(weight.dtype, 100)}  {size(weight.nbytes)}"


def summaries(results: Sequence[Summary], style: Style) -> str:
    """A table of several checkpoints, one line each."""
    return table([summary_cells(result) for result in results], SUMMARY_HEADERS)


def info(result: Info, style: Style) -> str:
    """The facts of a checkpoint, one a line."""
    lines = [(label, text) for label, text in facts(result) if text]
    width = max(len(label) for label, _ in lines)
    head = [f"{_BOLD}{label:<{width}}{_PLAIN}" if style.color else f"{label:<{width}}" for label, _ in lines]
    return "\n".join(f"{label}  {printable(text)}" for label, (_, text) in zip(head, lines, strict=True))


def _total(total: Total) -> str:
    """The numbers of weights, parameters and bytes of a section."""
    return f"{count_of(total.weights, 'weight')}, {count_of(total.params, 'parameter')}, {size(total.nbytes)}"


def facts(result: Info) -> Iterator[tuple[str, str]]:
    """The facts of a checkpoint with their labels; empty ones are not shown."""
    yield "path", str(result.path)
    yield "format", FORMATS[result.kind].title
    yield "written by", producer(result.producer)
    yield "saved", result.producer.date_saved or ""
    yield "size", f"{size(result.size)} ({result.size:,} bytes)"
    yield "model", " ".join(filter(None, (result.model_class, result.model_name and f"'{result.model_name}'")))
    yield "layers", _layer_count(result)
    yield "Keras 3", in_keras_3(result.support) if result.support else ""
    for (label, text), (name, _) in zip(_named_shapes("input", result.inputs), result.inputs, strict=True):
        yield label, f"{text} {result.layouts.get(name, '')}".rstrip()
    yield from _named_shapes("output", result.outputs)
    for section, total in result.totals.items():
        yield _SECTION_LABELS[section], _total(total) + (_SECTION_GUESS if result.sections_inferred else "")
    if result.trainable is not None and result.non_trainable is not None:
        yield "parameters", by_training(result)
    for lookup, entries in result.lookups:
        yield "vocabulary", f"{lookup.layer}: {_vocabulary(lookup, entries)}"
    yield "dtypes", ", ".join(f"{name} {params:,}" for name, params in result.dtypes.items())
    for key, text in result.compiled.items():
        yield key.replace("_", " "), text
    yield "compiled with", _optimizer(result)
    yield from cost_facts(result.cost)
    if result.saved_model is not None:
        yield from _saved_model(result.saved_model)
    yield "architecture", f"{result.companion} (a guess by its name)" if result.companion else ""
    if result.needs_keras_3:
        yield "needs", _KERAS_3


def _saved_model(model: SavedModel) -> Iterator[tuple[str, str]]:
    """The facts of a SavedModel beside its weights, one a line."""
    yield "tags", "; ".join(", ".join(tags) for tags in model.tags)
    for signature in model.signatures[:_SIGNATURES]:
        yield "signature", f"{signature.name}: {_tensors(signature.inputs)} -> {_tensors(signature.outputs)}"
    if model.signatures[_SIGNATURES:]:
        yield "", f"and {len(model.signatures) - _SIGNATURES:,} more signatures"
    yield "functions", f"{model.functions:,}" if model.functions else ""
    yield "graph reads", ", ".join(f"assets/{name}" for name in model.assets[:_SIGNATURES])
    yield (
        "architecture",
        f"in {model.config_file}" if model.config_file else "no Keras config: its layers are not known",
    )


def _tensors(tensors: tuple[Tensor, ...]) -> str:
    return ", ".join(f"{tensor.name} {tensor.dtype} {_shape(tensor)}" for tensor in tensors)


def _shape(tensor: Tensor) -> str:
    return "of any shape" if tensor.shape is None else shape(tensor.shape)


def _layer_count(result: Info) -> str:
    if result.layers is None:
        reason = (
            f"a {result.model_class} of Keras's own" if result.is_of_keras else "the model is of a class of your own"
        )
        return f"not listed: {reason}" if result.model_class else ""
    return f"{result.layers:,}"


def _vocabulary(lookup: Lookup, entries: int | None) -> str:
    count = "" if entries is None else f"{entries:,} entries, "
    places = {"config": "in the config", "asset": f"in {lookup.asset}", "missing": "not in the file"}
    return count + places.get(lookup.source, f"read from {lookup.file} where the model is loaded")


def in_keras_3(support: Support) -> str:
    """A phrase that says whether Keras 3 builds and compiles a model."""
    buildability = support.buildability
    own = buildability.own_names(buildability.compiles)
    objects = f", given {', '.join(own[:_SHOWN])}{', ...' if own[_SHOWN:] else ''}" if own else ""
    first = next(iter((*support.obstacles, *buildability.compile_obstacles)), None)
    if first is None:
        return f"builds it{objects}"
    if not support.obstacles:
        return f"builds it{objects}, and does not compile it: {first.description}"
    return f"cannot build it: {first.description}"


def _named_shapes(label: str, ends: tuple[tuple[str, tuple[int | None, ...] | None], ...]) -> Iterator[tuple[str, str]]:
    for name, dims in ends:
        yield label, f"{name} {shape(dims)}" if dims is not None else f"{name} (shape not stated)"


def _optimizer(result: Info) -> str:
    optimizer = result.optimizer
    if optimizer is None:
        return ""
    facts = [optimizer.class_name or "an optimizer of unknown class"]
    if optimizer.iteration is not None:
        facts.append(f"iteration {optimizer.iteration:,}")
    if optimizer.learning_rate is not None:
        origin = " (config)" if optimizer.learning_rate_from == "config" else ""
        facts.append(f"learning rate {optimizer.learning_rate:.6g}{origin}")
    if not optimizer.weights:
        facts.append("state not saved")
    return ", ".join(facts)


def verdict(result: VerifyResult, style: Style) -> str:
    """The verdict, the behaviour of Keras, and a table of the findings."""
    from ckpttool.render.verdicts import VERDICT_HEADERS, finding_rows, headline, remarks  # here, for `verify` alone

    rows = finding_rows(result.findings)
    table = plain_table(rows, VERDICT_HEADERS, ["left"] * len(VERDICT_HEADERS)) if rows else ""
    return "\n\n".join(filter(None, (headline(result, style), table, "\n".join(remarks(result)))))


def diff(result: Diff, style: Style) -> str:
    """The verdict, a line on each checkpoint, and a table for each part that changed."""
    from ckpttool.render import diffs  # the other outputs do not need this import

    head = diffs.headline(result)
    if style.color:
        head = f"{_RED if result.differences else _GREEN}{head}{_PLAIN}"
    tables = [_diff_table(block) for block in diffs.blocks(result, style)]
    return "\n\n".join(
        filter(None, ("\n".join([head, *diffs.sides(result)]), *tables, "\n".join(diffs.remarks(result))))
    )


def _diff_table(block: diffs.Block) -> str:
    return "\n".join(
        filter(None, (f"{block.title}:", table([list(row) for row in block.rows], list(block.headers)), block.rest))
    )
