"""Checkpoints whose weights are all in one nested model, as `multi_gpu_model` of Keras 2 writes them, compared with
that model itself."""

from collections.abc import Iterator
from dataclasses import replace

from ckpttool.checkpoint import Checkpoint, Section, Weight
from ckpttool.comparison import Restated


def without_holders(a: Checkpoint, b: Checkpoint) -> tuple[Checkpoint, Checkpoint, tuple[Restated, ...]]:
    """Both checkpoints, in which weights inside one nested model are in the layers of that model, and what was changed.

    Only for a checkpoint of weights alone whose nested model has exactly the layers of the other checkpoint.
    """
    ours, theirs = _unwrapped(a, b), _unwrapped(b, a)
    changes = tuple(_restated(mark, weights) for mark, weights in (("a", ours), ("b", theirs)) if weights)
    return _with(a, ours), _with(b, theirs), changes


def _unwrapped(checkpoint: Checkpoint, other: Checkpoint) -> tuple[Weight, ...]:
    """The weights of a model in the layers inside its one layer; none where these are not the layers of the other."""
    weights = checkpoint.section(Section.MODEL)
    wanted = {weight.layer for weight in other.section(Section.MODEL)}
    holders = {weight.layer for weight in weights}
    if checkpoint.config is not None or len(holders) != 1 or holders & wanted:
        return ()
    inside = tuple(_inside(weights))
    return inside if {weight.layer for weight in inside} == wanted else ()


def _inside(weights: tuple[Weight, ...]) -> Iterator[Weight]:
    """The weights, each in the layer that its own name begins with."""
    for weight in weights:
        layer, _, name = (weight.name or "").partition("/")
        yield replace(weight, layer=layer if name else None, part=weight.layer or "")


def _restated(mark: str, weights: tuple[Weight, ...]) -> Restated:
    layers = tuple(dict.fromkeys(weight.layer or "" for weight in weights))
    description = f"all {len(weights):,} weights in one nested model, {weights[0].part}, as multi_gpu_model has them"
    return Restated(mark, description, layers)


def _with(checkpoint: Checkpoint, inside: tuple[Weight, ...]) -> Checkpoint:
    """The checkpoint with these weights in place of those of its model; the checkpoint itself where there are none."""
    if not inside:
        return checkpoint
    weights = {**checkpoint.weights, **{weight.path: replace(weight, part="") for weight in inside}}
    names = tuple(dict.fromkeys(weight.layer or "" for weight in inside))
    return replace(checkpoint, weights=weights, layer_names=names)
