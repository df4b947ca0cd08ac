"""The graph of a model as JSON for programs; docs/json.md documents its shape."""

from __future__ import annotations

from typing import Any

from ckpttool.inspection.graph import Connection, GraphLayer, ModelGraph
from ckpttool.render.json_values import dumps


def graph(result: ModelGraph) -> str:
    """One JSON object."""
    return dumps(
        {
            "schema": "ckpttool.graph/1",
            "path": result.path,
            "other": result.other or None,
            "model": {"class": result.class_name, "name": result.name, "params": result.params},
            "inputs": list(result.inputs),
            "outputs": list(result.outputs),
            "layers": [_layer(layer) for layer in result.layers],
            "connections": [_connection(connection) for connection in result.connections],
            "notes": list(result.notes),
        }
    )


def _layer(layer: GraphLayer) -> dict[str, Any]:
    return {
        "path": layer.path,
        "name": layer.name,
        "class": layer.class_name,
        "family": layer.family,
        "wraps": layer.wraps or None,
        "shapes": [dims and list(dims) for dims in layer.shapes],
        "calls": layer.calls,
        "params": layer.params,
        "frozen": layer.frozen,
        "is_model": layer.is_model,
        "model": layer.model,
        "inputs": list(layer.inputs),
        "outputs": list(layer.outputs),
        "hidden": layer.hidden,
        "change": layer.change or None,
    }


def _connection(connection: Connection) -> dict[str, Any]:
    return {
        "source": connection.source,
        "target": connection.target,
        "source_call": connection.source_call,
        "output": connection.output,
        "call": connection.call,
        "place": connection.place,
        "shape": connection.shape and list(connection.shape),
        "through": connection.through,
        "change": connection.change or None,
    }
