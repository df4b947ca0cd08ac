"""JSON for programs. The shapes are documented in docs/json.md; `schema` names shape and version."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from ckpttool.formats import FORMATS
from ckpttool.inspection.listing import LayerRow, Listing, Row, Total
from ckpttool.render.costs import cost_json, layer_cost_json
from ckpttool.render.json_values import dumps, finite, producer_json
from ckpttool.render.style import Style, date
from ckpttool.render.tables import cut_to_depth

if TYPE_CHECKING:
    from ckpttool.arrays.statistics import Stats
    from ckpttool.checkpoint import Refusal, Weight
    from ckpttool.comparison import Diff
    from ckpttool.inspection.directories import Summary
    from ckpttool.inspection.info import Info
    from ckpttool.manifest import Record
    from ckpttool.model.support import Support
    from ckpttool.saved_model import SavedModel
    from ckpttool.verification import VerifyResult, WeightProblem


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
        "producer": producer_json(result.producer),
        **({"sections_inferred": True} if result.sections_inferred else {}),
    }


def _by_training(result: Listing | Info) -> dict[str, Any]:
    sums = {"trainable": result.trainable, "non_trainable": result.non_trainable}
    return {key: None if total is None else _total(total) for key, total in sums.items()}


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
        "min": finite(stats.minimum),
        "max": finite(stats.maximum),
        "mean": finite(stats.mean),
        "std": finite(stats.std),
        "zeros": stats.zeros,
        "nan": stats.nan,
        "inf": stats.inf,
    }


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
        "value": None if saved.value is None else finite(saved.value),
        "logs": {name: finite(value) for name, value in saved.logs.items()},
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
                "learning_rate": optimizer.learning_rate and finite(optimizer.learning_rate),
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


def _object(finding: WeightProblem) -> dict[str, Any]:
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
    from ckpttool.render.json_diffs import diff_json  # the other results do not need this import

    return dumps(diff_json(result, style))
