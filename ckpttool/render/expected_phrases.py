"""Phrases on an architecture or a spec that its outputs share: its facts, and the sums over what it expects."""

from __future__ import annotations

from collections.abc import Iterator

from ckpttool.escape import printable
from ckpttool.inspection.architectures import Expected
from ckpttool.inspection.slot_sizes import nbytes_of, params_of
from ckpttool.model.spec import SpecSlot
from ckpttool.render.style import count_of, shape, size

_KINDS = {"architecture": "architecture of a model", "spec": "spec of a model"}


def info_facts(result: Expected) -> list[tuple[str, str]]:
    """The facts of the file with their labels; empty ones are not shown."""
    return [
        ("path", str(result.path)),
        ("format", _KINDS[result.kind]),
        ("written by", result.writer),
        ("size", f"{size(result.size)} ({result.size:,} bytes)" if result.size else ""),
        ("model", f"{result.model_class} '{result.model_name}'" if result.model_class else f"'{result.model_name}'"),
        ("layers", f"{len(result.layers):,}"),
        *(("input", _end(*end)) for end in result.inputs),
        *(("output", _end(*end)) for end in result.outputs),
        ("expects", _sum(result.slots)),
        ("parameters", _by_training(result)),
        ("not known", result.problem),
    ]


def head_facts(result: Expected) -> Iterator[str]:
    """The facts in the headline: kind, writer, class, size."""
    yield _KINDS[result.kind]
    yield from filter(None, (printable(result.writer, 60), printable(result.model_class, 60)))
    if result.size:  # of a file
        yield size(result.size)


def sums(result: Expected) -> Iterator[str]:
    """The lines below the layers: the sums, and what is not known."""
    yield f"expects {_sum(result.slots)}"
    if result.slots:
        yield f"  {_by_training(result)}"
    if any(slot.shape is None or None in slot.shape for slot in result.slots):
        yield "? an axis whose size no input states is None, and sizes that depend on it are not known"
    if result.problem:
        yield f"? its weights are not known: {printable(result.problem, 400)}"


def _sum(slots: tuple[SpecSlot, ...]) -> str:
    params, nbytes = params_of(slots), nbytes_of(slots)
    known = [count_of(params, "parameter")] if params is not None else ["parameters not known"]
    return ", ".join([count_of(len(slots), "weight"), *known, *([size(nbytes)] if nbytes is not None else [])])


def _by_training(result: Expected) -> str:
    trained, others = (params_of([slot for slot in result.slots if slot.trainable is kind]) for kind in (True, False))
    names = [(name, count) for name, count in (("trainable", trained), ("non-trainable", others)) if count is not None]
    return ", ".join(f"{name} {count:,}" for name, count in names) if result.slots else ""


def _end(name: str, dims: tuple[int | None, ...] | None) -> str:
    return f"{name} {shape(dims)}" if dims is not None else f"{name} (shape not stated)"
