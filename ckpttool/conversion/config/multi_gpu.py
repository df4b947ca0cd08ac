"""Models by `multi_gpu_model`: one model, which is called on a slice of the batch for each device.

Each input goes through a Lambda `get_slice` a device, the model is called on these, and a Concatenate puts the parts of
each output together again (`multi_gpu_model`, keras/utils/training_utils.py, 2.0.9, to multi_gpu_utils.py, 2.3.1, and
tensorflow/python/keras/utils/multi_gpu_utils.py, 2.3). The model inside computes the same by itself.
"""

from collections.abc import Iterable, Mapping
from typing import Any

from ckpttool.conversion.journal import Edit, Journal
from ckpttool.model import Architecture, with_config
from ckpttool.model.arguments import Args
from ckpttool.model.graph import Call, read_calls, read_references
from ckpttool.model.shape_inference import is_model, name_in_graph

STRIP = Edit(
    "strip-towers",
    "writes the one model that multi_gpu_model calls on a slice of the batch for each device",
    "always, but for what depends on the size of a batch: BatchNormalization in training sees whole batches",
)
EDITS = (STRIP,)


def single_architecture(architecture: Architecture, journal: Journal) -> Architecture:
    """The architecture of the one model within that of a parallel model; other architectures unchanged."""
    entry = single_model(architecture.config)
    single = None if entry is None else with_config(architecture, entry)
    if single is None:
        return architecture
    journal.edit(STRIP, architecture.name, f"the model {single.name}")
    return single


def note(inside: str, journal: Journal) -> None:
    """Note the guess that a layer with all weights of a file is the model itself, unless its config has shown so."""
    if inside and not any(applied.edit == STRIP for applied in journal.edits):
        guess = f"all weights are in one model, {inside}, and go by their order to the layers of the architecture, as"
        journal.guess("layers", f"{guess} where multi_gpu_model wrote them (get_slice Lambdas, one model, Concatenate)")


def single_model(config: Any) -> Mapping[str, Any] | None:
    """The entry of the one model that is called for each device, None where a config has another pattern."""
    entries = _entries(config)
    layers = {name_in_graph(entry, Args.of(entry)): Args.of(entry) for entry in entries}
    models = [name for name, args in layers.items() if is_model(args)]
    slices = {name: args for name, args in layers.items() if args.class_name == "Lambda"}
    joins = [name for name, args in layers.items() if args.class_name == "Concatenate" and args.config.get("axis") == 0]
    inputs = [name for name, args in layers.items() if args.class_name == "InputLayer"]
    if (
        len(layers) < len(entries)
        or len(models) != 1
        or not slices
        or len(models) + len(slices) + len(joins) + len(inputs) != len(layers)
    ):
        return None
    calls = {name: read_calls(entry) for name, entry in zip(layers, entries, strict=True)}
    towers = calls[models[0]]
    ends = [tensor.layer for tensor in read_references(config["config"].get("output_layers"))]
    if not _are_slices(towers, slices, calls) or ends != joins or not _are_joined(joins, calls, models[0], len(towers)):
        return None
    entry = entries[list(layers).index(models[0])]
    return {"class_name": entry["class_name"], "config": entry["config"]}


def _entries(config: Any) -> list[Mapping[str, Any]]:
    """The layers of a Functional model, none of anything else."""
    inner = config.get("config") if isinstance(config, Mapping) else None
    entries = inner.get("layers") if isinstance(inner, Mapping) and "output_layers" in inner else None
    if not isinstance(entries, list) or config.get("class_name") not in ("Model", "Functional"):
        return []
    return entries


def _are_slices(towers: tuple[Call, ...], slices: Mapping[str, Args], calls: Mapping[str, tuple[Call, ...]]) -> bool:
    """Whether the n-th call takes the n-th slice of each input, and every slice is taken."""
    taken = [[tensor.layer for tensor in call.tensors] for call in towers]
    wanted = {"parts": len(towers)}
    right = all(
        name in slices and slices[name].config.get("arguments") == {**wanted, "i": at} and len(calls[name]) == 1
        for at, names in enumerate(taken)
        for name in names
    )
    sources = [[calls[name][0].tensors for name in names] for names in taken] if right else []
    is_each_once = len({name for names in taken for name in names}) == len(slices)
    return len(towers) > 1 and right and sources.count(sources[0]) == len(towers) and is_each_once


def _are_joined(joins: Iterable[str], calls: Mapping[str, tuple[Call, ...]], model: str, count: int) -> bool:
    """Whether the n-th Concatenate takes the n-th output of all calls, in their order."""
    for output, name in enumerate(joins):
        tensors = [tensor for call in calls[name] for tensor in call.tensors]
        first = tensors[0].node if tensors else 0
        places = [(tensor.layer, tensor.node, tensor.output) for tensor in tensors]
        if places != [(model, first + at, output) for at in range(count)]:
            return False
    return True
