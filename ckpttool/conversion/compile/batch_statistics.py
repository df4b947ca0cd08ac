"""Variances of batches, by which a BatchNormalization moves its own variance in training.

Keras of many backends divides the squared differences of a batch by their number less 1 since 2.1.4
(`BatchNormalization.call`, keras/layers/normalization.py, 2.2.4); Keras 3 divides by the number itself
(`BatchNormalization._moments`, keras/src/layers/normalization/batch_normalization.py, 3.15).
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from ckpttool.conversion.compile.optimizers import WHERE
from ckpttool.conversion.journal import Journal, shortened
from ckpttool.conversion.origin import Origin

_BY_ONE_LESS = (2, 1, 4)
_SHOWN = 3


def note(config: Mapping[str, Any], origin: Origin, journal: Journal) -> None:
    """Note that further training moves variances otherwise, in a compiled model."""
    if not origin.of_many_backends or origin.version is None or origin.before(*_BY_ONE_LESS):
        return
    names = sorted(set(_trained(config)))
    if names:
        journal.lose(
            WHERE,
            f"further training of BatchNormalization {shortened(names, _SHOWN)} is not quite the same: Keras 3 "
            "divides the variance of a batch by the number of values, where older ones divided by 1 less",
        )


def _trained(config: Mapping[str, Any]) -> Iterator[str]:
    """The names of the layers that are not frozen."""
    stack: list[Any] = [config]
    while stack:
        value = stack.pop()
        inner = value.get("config") if isinstance(value, Mapping) else None
        if (
            isinstance(inner, Mapping)
            and value.get("class_name") == "BatchNormalization"
            and inner.get("trainable", True)
        ):
            yield str(inner.get("name", ""))
        parts: Iterable[Any] = value.values() if isinstance(value, Mapping) else value
        stack.extend(part for part in parts if isinstance(part, list | Mapping))
