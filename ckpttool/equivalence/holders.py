"""Weights that are all in one nested model, as `multi_gpu_model` of Keras 2 writes them, beside those of that model."""

from collections.abc import Iterator
from dataclasses import replace

from ckpttool.checkpoint import Checkpoint, Section, Weight
from ckpttool.comparison import Restated


def without_holders(a: Checkpoint, b: Checkpoint) -> tuple[Checkpoint, Checkpoint, tuple[Restated, ...]]:
    """Two checkpoints, that of weights alone which holds the layers of the other in one layer as having them itself."""
    ours, theirs = _held(a, b), _held(b, a)
    told = tuple(_restated(mark, held) for mark, held in (("a", ours), ("b", theirs)) if held)
    return _with(a, ours), _with(b, theirs), told


def _held(checkpoint: Checkpoint, other: Checkpoint) -> tuple[Weight, ...]:
    """The weights of a model as those of the layers inside its one layer; none where the other has not just these."""
    weights = checkpoint.section(Section.MODEL)
    wanted = {weight.layer for weight in other.section(Section.MODEL)}
    holders = {weight.layer for weight in weights}
    if checkpoint.config is not None or len(holders) != 1 or holders & wanted:
        return ()
    found = tuple(_inside(weights))
    return found if {weight.layer for weight in found} == wanted else ()


def _inside(weights: tuple[Weight, ...]) -> Iterator[Weight]:
    """The weights by the layer that their own names begin with."""
    for weight in weights:
        layer, _, name = (weight.name or "").partition("/")
        yield replace(weight, layer=layer if name else None, part=weight.layer or "")


def _restated(mark: str, held: tuple[Weight, ...]) -> Restated:
    layers = tuple(dict.fromkeys(weight.layer or "" for weight in held))
    what = f"all {len(held):,} weights in one nested model, {held[0].part}, as multi_gpu_model has them"
    return Restated(mark, what, layers)


def _with(checkpoint: Checkpoint, held: tuple[Weight, ...]) -> Checkpoint:
    """A checkpoint with these weights in place of its model's."""
    if not held:
        return checkpoint
    weights = {**checkpoint.weights, **{weight.path: replace(weight, part="") for weight in held}}
    names = tuple(dict.fromkeys(weight.layer or "" for weight in held))
    return replace(checkpoint, weights=weights, layer_names=names)
