"""Values of JSON: text, numbers, the writer of a file."""

from __future__ import annotations

import json
import math
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ckpttool.checkpoint import Producer


def dumps(value: Any) -> str:
    """JSON text, ASCII only, so that no character of a file's names can act on a terminal."""
    return json.dumps(value, indent=2, ensure_ascii=True, allow_nan=False)


def config(value: Any) -> str:
    """A stored config as formatted JSON; NaN and Infinity stay as Python and Keras write them."""
    return json.dumps(value, indent=2, ensure_ascii=True)


def finite(value: float | None) -> float | None:
    """A number, None for NaN and Infinity, which JSON lacks."""
    return value if value is not None and math.isfinite(value) else None


def producer_json(who: Producer) -> dict[str, Any]:
    """The writer of a file."""
    return {
        "keras_version": who.keras_version,
        "backend": who.backend,
        "date_saved": who.date_saved,
        "inferred_backend": who.inferred_backend,
        "generation": who.generation or None,
        **({"tensorflow_version": who.tensorflow_version} if who.tensorflow_version else {}),
    }
