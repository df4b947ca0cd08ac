"""JSON for programs. The shapes are documented in docs/json.md; `schema` names shape and version."""

import json
import math
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from ckpttool.checkpoint import Producer, Refusal, Weight
from ckpttool.describing import Info
from ckpttool.formats import FORMATS
from ckpttool.listing import LayerRow, Listing, Row, Total
from ckpttool.numerics import Stats
from ckpttool.render.style import Style, Summary
from ckpttool.render.tables import cut_to_depth
from ckpttool.verifying import Finding, VerifyResult


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
    found: dict[str, Any] = {"schema": "ckpttool.listing/1", **_identity(result)}
    if style.layers:
        found["layers"] = [
            {
                "layer": layer.layer,
                "class": layer.class_name,
                "frozen": layer.frozen,
                "inferred": layer.inferred,
                **_total(layer.total),
                **_graph(layer),
            }
            for layer in cut_to_depth(result.by_layer(), style.depth)
        ]
    else:
        found["weights"] = [_row(row) for row in result.rows]
    found["totals"] = {section.value: _total(total) for section, total in result.totals.items()}
    found |= _by_training(result)
    found["refusals"] = [_refusal(refusal) for refusal in result.refusals]
    found["notes"] = list(result.notes)
    return found


def _graph(layer: LayerRow) -> dict[str, Any]:
    """What comes out of a layer, for each of its calls, and what goes in; null where the config does not tell."""
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
    }


def _by_training(result: Listing | Info) -> dict[str, Any]:
    return {
        "trainable": None if result.trainable is None else _total(result.trainable),
        "non_trainable": None if result.non_trainable is None else _total(result.non_trainable),
    }


def _producer(who: Producer) -> dict[str, Any]:
    return {
        "keras_version": who.keras_version,
        "backend": who.backend,
        "date_saved": who.date_saved,
        "inferred_backend": who.inferred_backend,
        "generation": who.generation or None,
    }


def _row(row: Row) -> dict[str, Any]:
    weight = row.weight
    found: dict[str, Any] = {
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
        found["stats"] = _stats(row.stats)
    if row.sha256 is not None:
        found["sha256"] = row.sha256
    if row.problem:
        found["problem"] = row.problem
    return found


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
    found = [
        {"path": str(result.path), "error": result.error} if result.listing is None else _listing(result.listing, style)
        for result in results
    ]
    return dumps({"schema": "ckpttool.listings/1", "checkpoints": found})


def info(result: Info, style: Style) -> str:
    """What a checkpoint is, as one object."""
    optimizer = result.optimizer
    return dumps(
        {
            "schema": "ckpttool.info/1",
            **_identity(result),
            "model": {"class": result.model_class, "name": result.model_name, "layers": result.layers},
            "inputs": [{"layer": name, "shape": dims and list(dims)} for name, dims in result.inputs],
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
            "companion": result.companion and str(result.companion),
            "refusals": [_refusal(refusal) for refusal in result.refusals],
            "notes": list(result.notes),
        }
    )


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
            "problems": list(result.problems),
            "matched": len(result.matched),
            "findings": [_object(finding) for finding in result.findings],
            "unchecked": [weight.path for weight in result.unchecked],
            "opaque": [asdict(part) for part in result.opaque],
        }
    )


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
