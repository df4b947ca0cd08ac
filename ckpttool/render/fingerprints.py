"""Fingerprints as lines of text for git to compare, one a layer and one a weight."""

import json

from ckpttool.comparison.fingerprints import Fingerprint, LayerPrint
from ckpttool.escape import printable
from ckpttool.inspection.listing import Row
from ckpttool.paths import join_path
from ckpttool.render.style import number, shape

_DIGITS = 12  # of a checksum
_LONG = 400


def lines(fingerprint: Fingerprint) -> str:
    """The fingerprint of a checkpoint as text."""
    head = [f"model {printable(fingerprint.model, 100)}"] if fingerprint.model else []
    notes = [f"config: {printable(fingerprint.problem, _LONG)}"] if fingerprint.problem else []
    sections = [f"{name}: {count:,} weights sha256:{digest[:_DIGITS]}" for name, count, digest in fingerprint.sections]
    assets = [
        f"asset {printable(path, 200)}: {size:,} bytes sha256:{digest[:_DIGITS]}"
        for path, size, digest in fingerprint.assets
    ]
    refusals = [
        f"refused: {printable(refusal.place or 'file', 200)}: {printable(refusal.detail, 200)}"
        for refusal in fingerprint.refusals
    ]
    rest = [*sections, *assets, *refusals]
    return "\n".join([*head, *notes, *map(_layer, fingerprint.layers), *map(_weight, fingerprint.rows), *rest])


def _layer(layer: LayerPrint) -> str:
    arguments = json.dumps(layer.arguments, sort_keys=True, ensure_ascii=True, default=str)
    return f"layer {printable(layer.layer, 200)}: {printable(layer.class_name, 100)} {printable(arguments, _LONG)}"


def _weight(row: Row) -> str:
    weight, stats = row.weight, row.stats
    name = printable(join_path(row.layer, row.label), _LONG)
    head = f"weight {name}: {printable(weight.dtype, 40)} {shape(weight.shape)}"
    if stats is None or row.sha256 is None:
        return f"{head} {printable(row.problem, _LONG)}"
    facts = [f"sha256:{row.sha256[:_DIGITS]}"]
    facts += [
        f"{title} {number(value)}"
        for title, value in (("min", stats.minimum), ("max", stats.maximum), ("mean", stats.mean))
    ]
    facts += [f"{title} {count:,}" for title, count in (("NaN", stats.nan), ("Inf", stats.inf)) if count]
    return " ".join([head, *facts])
