"""JSON for programs. The shapes are documented in docs/json.md; `schema` names shape and version."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from ckpttool.formats import FORMATS
from ckpttool.inspection.listing import LayerRow, Listing, Row, Total
from ckpttool.render.costs import cost_json, layer_cost_json
from ckpttool.render.style import Style, date
from ckpttool.render.tables import cut_to_depth

if TYPE_CHECKING:
    from ckpttool.arrays.statistics import Stats
    from ckpttool.checkpoint import Producer, Refusal, Weight
    from ckpttool.comparison import Comparison, ConfigChange, Diff, Move, Pair, Side, Unit
    from ckpttool.inspection.directories import Summary
    from ckpttool.inspection.info import Info
    from ckpttool.manifest import Record
    from ckpttool.model.support import Support
    from ckpttool.saved_model import SavedModel
    from ckpttool.verification import Finding, VerifyResult


def dumps(value: Any) -> str:
    """JSON text, ASCII only, so that no character of a file's names can act on a terminal."""
    return json.dumps(value, indent=2, ensure_ascii=True, allow_nan=False)


def config(value: Any) -> str:
    """A stored config as formatted JSON; NaN and Infinity stay as Python and Keras write them."""
    return json.dumps(value, indent=2, ensure_ascii=True)


def listing(result: Listing, style: Style) -> str:
    """A listing as one object."""
    return dumps(_listing(result, style))


def _listing(result: Listing, style: Style) -> dict[str, Any]:
    document: dict[str, Any] = {"schema": "ckpttool.listing/1", **_identity(result)}
    if style.layers:
        document["layers"] = [
            {
                "layer": layer.layer,
                "class": layer.class_name,
                "frozen": layer.frozen,
                "inferred": layer.inferred,
                **_total(layer.total),
                **(_graph(layer) | layer_cost_json(layer.cost)),
            }
            for layer in cut_to_depth(result.by_layer(), style.depth)
        ]
    else:
        document["weights"] = [_row(row) for row in result.rows]
    document["totals"] = {section.value: _total(total) for section, total in result.totals.items()}
    assets = [{"path": path, "nbytes": nbytes} for path, nbytes in result.assets.items()]
    document |= {**_by_training(result), "assets": assets, **cost_json(result.cost)}
    return document | {"refusals": list(map(_refusal, result.refusals)), "notes": list(result.notes)}


def _graph(layer: LayerRow) -> dict[str, Any]:
    """The output shapes of a layer, for each of its calls, and its inputs; null where the config does not tell."""
    if layer.graph is None:
        return {"outputs": None, "inbound": None}
    return {
        "outputs": [[shape and list(shape) for shape in outputs] for outputs in layer.graph.outputs],
        "inbound": [[tensor.layer, tensor.node, tensor.output] for tensor in layer.graph.inbound],
    }


def _identity(result: Listing | Info) -> dict[str, Any]:
    return {
        "path": str(result.path),
        "kind": result.kind,
        "format": FORMATS[result.kind].title,
        "size": result.size,
        "producer": _producer(result.producer),
        **({"sections_inferred": True} if result.sections_inferred else {}),
    }


def _by_training(result: Listing | Info) -> dict[str, Any]:
    sums = {"trainable": result.trainable, "non_trainable": result.non_trainable}
    return {key: None if total is None else _total(total) for key, total in sums.items()}


def _producer(who: Producer) -> dict[str, Any]:
    return {
        "keras_version": who.keras_version,
        "backend": who.backend,
        "date_saved": who.date_saved,
        "inferred_backend": who.inferred_backend,
        "generation": who.generation or None,
        **({"tensorflow_version": who.tensorflow_version} if who.tensorflow_version else {}),
    }


def _row(row: Row) -> dict[str, Any]:
    weight = row.weight
    item: dict[str, Any] = {
        "path": weight.path,
        "layer": row.layer,
        "class": row.class_name,
        "weight": row.label,
        "slot": row.slot,
        "name": weight.name,
        "shape": list(weight.shape),
        "dtype": weight.dtype,
        "params": weight.size,
        "nbytes": weight.nbytes,
        "section": weight.section.value,
        "trainable": row.trainable,
        "frozen": row.frozen,
        "inferred": row.inferred,
    }
    if row.stats is not None:
        item["stats"] = _stats(row.stats)
    if row.sha256 is not None:
        item["sha256"] = row.sha256
    if row.problem:
        item["problem"] = row.problem
    return item


def _stats(stats: Stats) -> dict[str, Any]:
    return {
        "min": _finite(stats.minimum),
        "max": _finite(stats.maximum),
        "mean": _finite(stats.mean),
        "std": _finite(stats.std),
        "zeros": stats.zeros,
        "nan": stats.nan,
        "inf": stats.inf,
    }


def _finite(value: float | None) -> float | None:
    return value if value is not None and math.isfinite(value) else None


def _total(total: Total) -> dict[str, int]:
    return {"weights": total.weights, "params": total.params, "nbytes": total.nbytes}


def _refusal(refusal: Refusal) -> dict[str, str]:
    return {"kind": refusal.kind, "place": refusal.place, "detail": refusal.detail}


def summaries(results: Sequence[Summary], style: Style) -> str:
    """Several checkpoints: a listing or an error each."""
    return dumps({"schema": "ckpttool.listings/1", "checkpoints": [_summary(result, style) for result in results]})


def _summary(result: Summary, style: Style) -> dict[str, Any]:
    item = _listing(result.listing, style) if result.listing else {"path": str(result.path), "error": result.error}
    if result.record:
        return {**item, "saved": _record(result.record)}
    managed = result.managed
    if not managed:
        return item
    return {**item, "kept": {"step": managed.step, "date": date(managed.time), "newest": managed.newest}}


def _record(record: Record) -> dict[str, Any]:
    """The entry of a checkpoint in the manifest, and the damage of its file."""
    saved = record.saved
    return {
        "epoch": saved.epoch,
        "batch": saved.batch,
        "step": saved.step,
        "series": saved.series,
        "monitor": saved.monitor,
        "value": None if saved.value is None else _finite(saved.value),
        "logs": {name: _finite(value) for name, value in saved.logs.items()},
        "best": record.best,
        "reason": saved.reason,
        "date": saved.date,
        "seconds": saved.seconds,
        "sha256": saved.sha256,
        "damage": record.damage or None,
    }


def info(result: Info, style: Style) -> str:
    """The facts of a checkpoint as one object."""
    optimizer = result.optimizer
    return dumps(
        {
            "schema": "ckpttool.info/1",
            **_identity(result),
            "model": {"class": result.model_class, "name": result.model_name, "layers": result.layers},
            "inputs": [
                {"layer": name, "shape": dims and list(dims), "layout": result.layouts.get(name, "dense")}
                for name, dims in result.inputs
            ],
            "outputs": [{"layer": name, "shape": dims and list(dims)} for name, dims in result.outputs],
            "totals": {section.value: _total(total) for section, total in result.totals.items()},
            **_by_training(result),
            "dtypes": dict(result.dtypes),
            "compiled": dict(result.compiled),
            "optimizer": optimizer
            and {
                "class": optimizer.class_name,
                "iteration": optimizer.iteration,
                "learning_rate": optimizer.learning_rate and _finite(optimizer.learning_rate),
                "learning_rate_from": optimizer.learning_rate_from or None,
                "weights": optimizer.weights,
            },
            "files": list(result.files),
            "assets": [{"path": path, "nbytes": nbytes} for path, nbytes in result.assets.items()],
            "vocabularies": [
                {"layer": lookup.layer, "class": lookup.class_name, "source": lookup.source, "entries": entries}
                | ({"file": lookup.file} if lookup.file else {})
                for lookup, entries in result.lookups
            ],
            "companion": result.companion and str(result.companion),
            "needs_keras_3": result.needs_keras_3,
            "support": _support(result.support) if result.support else None,
            "refusals": [_refusal(refusal) for refusal in result.refusals],
            "notes": list(result.notes),
        }
        | ({"saved_model": _saved_model(result.saved_model)} if result.saved_model else {})
        | cost_json(result.cost)
    )


def _saved_model(model: SavedModel) -> dict[str, Any]:
    """The facts of a SavedModel beside its weights, as one object, without what its graph is made of."""
    return {**model.facts(), "config_file": model.config_file or None}


def verdict(result: VerifyResult, style: Style) -> str:
    """The result as one object, a row a finding."""
    return dumps(
        {
            "schema": "ckpttool.verify/1",
            "checkpoint": str(result.checkpoint),
            "kind": result.kind,
            "architecture": result.architecture,
            "verdict": result.verdict,
            "ok": result.ok,
            "loader": result.loader,
            "loader_because": result.because,
            "keras": result.keras,
            "support": _support(result.support) if result.support else None,
            "problems": list(result.problems),
            "matched": len(result.matched),
            "findings": [_object(finding) for finding in result.findings],
            "skipped": [slot.label for slot in result.skipped],
            "skipped_state": result.skipped_state,
            "unchecked": [weight.path for weight in result.unchecked],
            "opaque": [asdict(part) for part in result.opaque],
            "parts": list(result.parts),
        }
    )


def _support(support: Support) -> dict[str, Any]:
    """The versions of Keras that build an architecture, and the reasons where Keras 3 does not."""
    buildability = support.buildability
    return {
        "writer": f"Keras {support.writer.value}",
        "builds_in_keras_3": not support.obstacles,
        "compiles_in_keras_3": buildability.compiles and not support.obstacles,
        "own_objects": list(buildability.own_names()),
        "obstacles": [asdict(obstacle) for obstacle in (*support.obstacles, *buildability.compile_obstacles)],
    }


def _object(finding: Finding) -> dict[str, Any]:
    return {
        "status": finding.status.value,
        "accepted": finding.accepted,
        "slot": asdict(finding.slot) if finding.slot else None,
        "stored": _stored(finding.weight) if finding.weight else None,
        "why": finding.why,
        "remedy": finding.remedy,
    }


def _stored(weight: Weight) -> dict[str, Any]:
    return {"path": weight.path, "shape": list(weight.shape), "dtype": weight.dtype, "layer": weight.layer}


def diff(result: Diff, style: Style) -> str:
    """A diff as one object; docs/diff-format.md documents it."""
    return dumps(
        {
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
    )


def _side(side: Side) -> dict[str, Any]:
    return {"path": str(side.path), "kind": side.kind, "size": side.size, "producer": _producer(side.producer)}


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
        "max_abs": _finite(comparison.max_abs),
        "mean_abs": _finite(comparison.mean_abs),
        "norm_a": _finite(comparison.norm_a),
        "norm_b": _finite(comparison.norm_b),
        "norm_difference": _finite(comparison.norm_difference),
        "relative_l2": _finite(comparison.relative_l2),
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
        "learning_rate": [rate and _finite(rate) for rate in state.learning_rates],
        "removed": [_unit(unit) for unit in state.removed],
        "added": [_unit(unit) for unit in state.added],
        "variables": [_pair(pair) for pair in state.pairs],
    }
