"""Diffs as JSON, for `render.json`."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from ckpttool.render.json_values import finite, producer_json
from ckpttool.render.style import Style

if TYPE_CHECKING:
    from ckpttool.comparison import Comparison, ConfigChange, Diff, Move, Pair, Side, Unit


def diff_json(result: Diff, style: Style) -> dict[str, Any]:
    """A diff as one object; docs/diff-format.md documents it."""
    return {
        "schema": "ckpttool.diff/1",
        "a": _side(result.a),
        "b": _side(result.b),
        "differences": sorted(result.differences),
        "complete": result.is_complete,
        "structure": {
            "removed": [_unit(unit) for unit in result.removed],
            "added": [_unit(unit) for unit in result.added],
            "moved": [_move(move) for move in result.moves],
        },
        **_compared(result, style),
        "total": _comparison(result.total),
        "config": [_setting(change) for change in result.config],
        "assets": [asdict(change) for change in result.assets],
        "optimizer": result.state and _state(result),
        "equal_in_meaning": [asdict(restated) for restated in result.restated],
        "notes": list(result.notes),
    }


def _side(side: Side) -> dict[str, Any]:
    return {"path": str(side.path), "kind": side.kind, "size": side.size, "producer": producer_json(side.producer)}


def _unit(unit: Unit) -> dict[str, Any]:
    return {
        "layer": unit.layer,
        "weight": unit.label,
        "path": unit.path,
        "shape": list(unit.shape),
        "dtype": unit.dtype,
        "trainable": unit.trainable,
    }


def _move(move: Move) -> dict[str, Any]:
    return {"a": move.layer, "b": move.new_layer, "evidence": move.evidence.value, "swapped": move.swapped}


def _compared(result: Diff, style: Style) -> dict[str, Any]:
    """The compared weights, or with `--layers` the compared layers."""
    if not style.layers:
        return {"weights": [_pair(pair) for pair in result.pairs[: style.top]]}
    return {
        "layers": [
            {"a": layer.layer, "b": layer.new_layer, "weights": len(layer.pairs), **_comparison(layer.comparison)}
            for layer in result.by_layer()[: style.top]
        ]
    }


def _pair(pair: Pair) -> dict[str, Any]:
    item: dict[str, Any] = {"a": _unit(pair.a), "b": _unit(pair.b), "evidence": pair.evidence.value}
    item["values"] = pair.comparison and _comparison(pair.comparison)
    return item | ({"problem": pair.problem} if pair.problem else {})


def _comparison(comparison: Comparison) -> dict[str, Any]:
    return {
        "count": comparison.count,
        "changed": comparison.changed,
        "differing": comparison.differing,
        "finite": comparison.finite,
        "max_abs": finite(comparison.max_abs),
        "mean_abs": finite(comparison.mean_abs),
        "norm_a": finite(comparison.norm_a),
        "norm_b": finite(comparison.norm_b),
        "norm_difference": finite(comparison.norm_difference),
        "relative_l2": finite(comparison.relative_l2),
        "cosine": comparison.cosine,
        "max_ulp": comparison.max_ulp,
        "nan_gained": comparison.nan_gained,
        "nan_lost": comparison.nan_lost,
        "inf_gained": comparison.inf_gained,
        "inf_lost": comparison.inf_lost,
    }


def _setting(change: ConfigChange) -> dict[str, Any]:
    from ckpttool.comparison.change import ABSENT  # the other outputs do not need this import

    item: dict[str, Any] = {"kind": change.kind, "layer": change.layer, "new_layer": change.new_layer}
    item["key"] = change.key
    sides = {"a": change.old, "b": change.new}
    return item | {side: _strict(value) for side, value in sides.items() if value is not ABSENT}


def _strict(value: Any) -> Any:
    """A value of a config without NaN and Infinity, which JSON proper lacks: their names instead."""
    return json.loads(json.dumps(value), parse_constant=str)


def _state(result: Diff) -> dict[str, Any] | None:
    state = result.state
    if state is None:
        return None
    return {
        "counted": result.counts_state,
        "class": list(state.class_names),
        "iteration": list(state.iterations),
        "learning_rate": [rate and finite(rate) for rate in state.learning_rates],
        "removed": [_unit(unit) for unit in state.removed],
        "added": [_unit(unit) for unit in state.added],
        "variables": [_pair(pair) for pair in state.pairs],
    }
