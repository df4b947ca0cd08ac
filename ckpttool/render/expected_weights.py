"""The weights that an architecture or a spec expects, in every output of `ls` and `info`."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

from ckpttool.escape import printable
from ckpttool.inspection.architectures import Expected, ExpectedLayer
from ckpttool.inspection.slot_sizes import nbytes_of, params_of
from ckpttool.render import csv as csv_output
from ckpttool.render import html
from ckpttool.render.costs import COST_HEADERS, cost_cells, cost_facts, cost_json, cost_lines, layer_cost_json
from ckpttool.render.expected_phrases import head_facts, info_facts, sums
from ckpttool.render.json_values import dumps
from ckpttool.render.markdown import as_table, escaped
from ckpttool.render.style import Style, shape
from ckpttool.render.tables import inbound_cell, output_cell
from ckpttool.render.text import table

if TYPE_CHECKING:
    from ckpttool.model.spec import SpecSlot

_TITLES = ["layer", "class", "trainable", "output shape", "weight", "shape", "dtype", "params", "connected to"]
_UNKNOWN = "not known"


def text(result: Expected, style: Style) -> str:
    """The facts of the file, its layers with the weights that they expect, and the sums."""
    head = f"{printable(str(result.path))}\n{', '.join(head_facts(result))}"
    titles = _titles(result)
    cells = [line[: len(titles)] for layer in result.layers for line in _cells(layer)]
    lines = [*sums(result), *cost_lines(result.cost)]
    return "\n\n".join(filter(None, (head, table(cells, titles) if cells else "", "\n".join(lines))))


def markdown(result: Expected, style: Style) -> str:
    """The same as `text`, in Markdown below a heading."""
    head = f"### {escaped(printable(result.path.name))}\n\n{escaped(', '.join(head_facts(result)))}"
    titles = _titles(result)
    cells = [line[: len(titles)] for layer in result.layers for line in _cells(layer)]
    below = (*sums(result), *cost_lines(result.cost))
    lines = "\n".join(f"- {escaped(' '.join(line.split()))}" for line in below)
    return "\n\n".join(filter(None, (head, as_table(cells, titles) if cells else "", lines)))


def _titles(result: Expected) -> list[str]:
    return [*_TITLES, *(COST_HEADERS if result.cost else ())]


def csv(result: Expected, style: Style) -> str:
    """CSV with one row a weight."""
    titles = ("layer", "class", "weight", "shape", "dtype", "params", "trainable", "path")
    rows = [
        (
            layer.layer,
            layer.class_name or "",
            slot.name,
            "" if slot.shape is None else "x".join("?" if dim is None else str(dim) for dim in slot.shape),
            slot.dtype,
            params_of([slot]),
            slot.trainable,
            slot.path,
        )
        for layer in result.layers
        for slot in layer.slots
    ]
    return csv_output.rows(titles, rows)


def json(result: Expected, style: Style) -> str:
    """One JSON object; docs/json.md documents its shape."""
    return dumps({**_head(result), "layers": [_layer(layer) for layer in result.layers], **cost_json(result.cost)})


def info(result: Expected, style: Style) -> str:
    """The facts of the file, one a line."""
    shown = [(label, value) for label, value in (*info_facts(result), *cost_facts(result.cost)) if value]
    width = max(len(label) for label, _ in shown)
    return "\n".join(f"{label:<{width}}  {printable(value)}" for label, value in shown)


def info_json(result: Expected, style: Style) -> str:
    """One JSON object, without the layers."""
    return dumps(
        {
            **_head(result),
            "layers": len(result.layers),
            "inputs": [{"layer": name, "shape": dims and list(dims)} for name, dims in result.inputs],
            "outputs": [{"layer": name, "shape": dims and list(dims)} for name, dims in result.outputs],
            **cost_json(result.cost),
        }
    )


EXPECTED_OUTPUTS: dict[str, Callable[[Expected, Style], str]] = {
    "text": text,
    "json": json,
    "csv": csv,
    "markdown": markdown,
    "html": html.expected,
}
EXPECTED_INFO_OUTPUTS: dict[str, Callable[[Expected, Style], str]] = {
    "text": info,
    "json": info_json,
    "html": html.expected_info,
}


def _cells(layer: ExpectedLayer) -> Iterator[list[str]]:
    """A row for each weight of a layer, or one for a layer without any."""
    name = printable(layer.layer or "(model)", 200)
    first = [name, printable(layer.class_name or "", 100), "frozen" if layer.frozen else "", output_cell(layer.graph)]
    last = [inbound_cell(layer.graph), *cost_cells(layer.cost)]
    if not layer.slots:
        yield [*first, "only its own class knows its weights" if layer.opaque else "", "", "", "", *last]
    for at, slot in enumerate(layer.slots):
        yield [*(first if not at else [""] * 4), *_slot_cells(slot), *([""] * len(last) if at else last)]


def _slot_cells(slot: SpecSlot) -> list[str]:
    dims = "" if slot.shape is None else shape(slot.shape)
    params = params_of([slot])
    return [
        printable(slot.name, 200),
        dims or _UNKNOWN,
        printable(slot.dtype, 40),
        "" if params is None else f"{params:,}",
    ]


def _head(result: Expected) -> dict[str, Any]:
    slots = result.slots
    return {
        "schema": "ckpttool.expected/1",
        "path": str(result.path),
        "kind": result.kind,
        "size": result.size,
        "written_by": result.writer or None,
        "model": {"class": result.model_class or None, "name": result.model_name},
        "totals": {"weights": len(slots), "params": params_of(slots), "nbytes": nbytes_of(slots)},
        "problem": result.problem or None,
    }


def _layer(layer: ExpectedLayer) -> dict[str, Any]:
    graph = layer.graph
    return {
        "layer": layer.layer,
        "class": layer.class_name,
        "frozen": layer.frozen,
        "opaque": layer.opaque,
        "outputs": graph and [[dims and list(dims) for dims in outputs] for outputs in graph.outputs],
        "inbound": graph and [[tensor.layer, tensor.node, tensor.output] for tensor in graph.inbound],
        "slots": [
            {
                "name": slot.name,
                "shape": slot.shape and list(slot.shape),
                "dtype": slot.dtype,
                "trainable": slot.trainable,
                "path": slot.path,
                "group": slot.group,
                "index": slot.index,
            }
            for slot in layer.slots
        ],
        **layer_cost_json(layer.cost),
    }
