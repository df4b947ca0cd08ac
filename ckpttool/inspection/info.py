"""The description of a checkpoint for `ckpttool info`: its format, its writer, its model and its compile settings."""

import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from ckpttool.alignment.vocabularies import (
    Lookup,
    lookups_in_checkpoint,
    outermost,
    with_entry_counts,
)
from ckpttool.checkpoint import Checkpoint, Producer, Refusal, Section, Weight
from ckpttool.errors import CheckpointError
from ckpttool.escape import brief
from ckpttool.formats import open_checkpoint
from ckpttool.inspection.listing import Choice, Listing, Total, list_checkpoint
from ckpttool.io import scalars
from ckpttool.io.sources import FileSource
from ckpttool.model import Architecture, architecture_of
from ckpttool.model.architecture_parts import part_in
from ckpttool.model.compile_names import with_new_rate
from ckpttool.model.layers.table import MODELS
from ckpttool.model.sizes import Shape
from ckpttool.notebook import Displayed

if TYPE_CHECKING:
    from ckpttool.inspection.cost import Cost, InputShapes
    from ckpttool.model.support import Support
    from ckpttool.saved_model import SavedModel

_ITERATION_DTYPES = ("int64", "int32")  # on TensorFlow, and on other backends
_ITERATION = re.compile(r"(^|/)iter(ation)?s?(_\d+)?(:0)?$")
_INNER, _SCALE = "inner_optimizer", "dynamic_scale"
_LEARNING_RATE = re.compile(r"(^|/)(current_)?(learning_rate|lr)(_\d+)?(:0)?$")
_ARCHITECTURE_SUFFIXES = (".json", ".yaml", ".yml")
_MAX_SIBLINGS = 200
_MOST_COMPANIONS = 5
_LEAST_LIKENESS = 0.6  # of the names of a weights file and its architecture
_LISTING_CLASSES = MODELS | {"Graph"}  # a subclass need not list its layers
_ROLE = re.compile(r"[_-](weights?|architecture|arch|config|model)(?![a-z])", re.IGNORECASE)


class Optimizer(NamedTuple):
    """The optimizer of a checkpoint.

    `iteration` and `learning_rate` are read from its saved state, where there is one. `learning_rate_from` is "state"
    or "config", the place of the learning rate; empty where there is none. `weights` is the number of arrays of its
    state.
    """

    class_name: str | None
    iteration: int | None
    learning_rate: float | None
    learning_rate_from: str
    weights: int

    def __repr__(self) -> str:
        return brief(self)


@dataclass(frozen=True, slots=True)
class Info(Displayed):
    """A checkpoint as `info` shows it.

    `layers` is the number of layers; None where neither a config nor the file lists them. `layouts` are the inputs that
    take "ragged" or "sparse" tensors, with that word. `is_of_keras` says that a class which lists no layers is one
    of Keras's own. `sections_inferred` says that the file does not state the sections of its weights.
    """

    path: Path
    kind: str
    size: int
    producer: Producer
    model_class: str | None
    model_name: str | None
    inputs: tuple[tuple[str, tuple[int | None, ...] | None], ...]
    outputs: tuple[tuple[str, tuple[int | None, ...] | None], ...]
    layers: int | None
    compiled: Mapping[str, str]
    optimizer: Optimizer | None
    totals: Mapping[Section, Total]
    trainable: Total | None
    non_trainable: Total | None
    dtypes: Mapping[str, int]
    files: tuple[str, ...]
    companion: Path | None
    support: "Support | None"
    refusals: tuple[Refusal, ...]
    notes: tuple[str, ...]
    assets: Mapping[str, int] = field(default_factory=dict)
    lookups: tuple[tuple[Lookup, int | None], ...] = ()
    layouts: Mapping[str, str] = field(default_factory=dict)
    is_of_keras: bool = False
    saved_model: "SavedModel | None" = None
    cost: "Cost | None" = None
    sections_inferred: bool = False

    def __repr__(self) -> str:
        model = f", {self.model_class} {self.model_name!r}" if self.model_class else ""
        return f"<Info {self.path.name!r} {self.kind}{model}>"

    @property
    def needs_keras_3(self) -> bool:
        """Whether Keras 2 cannot open a whole model.

        Keras 2 has none of the modules that a `.keras` of Keras 3 names, and its InputLayer takes no `batch_shape`
        (keras/src/saving/serialization_lib.py, keras/src/engine/input_layer.py, 2.15).
        """
        return self.support is not None and self.support.by_keras_3


def info(path: str | os.PathLike[str]) -> Info:
    """The description of the checkpoint at a path, as `ckpttool info` shows it. Raises CheckpointError."""
    with open_checkpoint(path) as checkpoint:
        return describe(checkpoint)


def describe(
    checkpoint: Checkpoint, cost: "InputShapes | None" = None, architecture: Architecture | None = None
) -> Info:
    """The description of a checkpoint; reads the optimizer's scalars and no other array.

    `cost` asks for what the model costs with inputs of these shapes, or with those that it declares where it is empty.
    `architecture` is that of a file which stores weights alone.
    """
    architecture = architecture or architecture_of(checkpoint)
    return info_of(checkpoint, list_checkpoint(checkpoint, Choice(architecture=architecture, cost=cost)), architecture)


def info_of(checkpoint: Checkpoint, listing: Listing, architecture: Architecture | None) -> Info:
    """The description of a checkpoint that has been listed; `architecture` is None for weights without a model."""
    return Info(
        path=checkpoint.path,
        kind=checkpoint.kind,
        size=checkpoint.size,
        producer=checkpoint.producer,
        model_class=architecture.class_name if architecture else None,
        model_name=architecture.name if architecture else None,
        inputs=architecture.inputs if architecture else (),
        outputs=_outputs(architecture) if architecture else (),
        layers=_layer_count(checkpoint, architecture),
        compiled=dict(_compile_settings(checkpoint.training_config)),
        optimizer=optimizer_of(checkpoint),
        totals=listing.totals,
        sections_inferred=listing.sections_inferred,
        trainable=listing.trainable,
        non_trainable=listing.non_trainable,
        dtypes=_dtypes(checkpoint),
        files=checkpoint.files,
        companion=None if architecture else companion(checkpoint),
        support=_support(checkpoint),
        refusals=listing.refusals,
        notes=listing.notes,
        assets=listing.assets,
        lookups=tuple(_lookups(checkpoint, architecture)) if architecture else (),
        layouts=dict(_layouts(architecture)) if architecture else {},
        is_of_keras=_is_of_keras(architecture) if architecture else False,
        saved_model=checkpoint.saved_model,
        cost=listing.cost,
    )


def _is_of_keras(architecture: Architecture) -> bool:
    from ckpttool.model.unlisted_layers import is_of_keras  # here, since only models without layers need these tables

    return not architecture.layers and architecture.class_name not in _LISTING_CLASSES and is_of_keras(architecture)


def _layouts(architecture: Architecture) -> Iterator[tuple[str, str]]:
    """The inputs that take "ragged" or "sparse" tensors, with that word."""
    names = {name for name, _ in architecture.inputs}
    for layer in architecture.layers:
        config = layer.entry.get("config") if isinstance(layer.entry, Mapping) else None
        if layer.path in names and isinstance(config, Mapping):
            yield from ((layer.path, key) for key in ("ragged", "sparse") if config.get(key) is True)


def _lookups(checkpoint: Checkpoint, architecture: Architecture) -> Iterator[tuple[Lookup, int | None]]:
    """The layers of a whole checkpoint that look values up, with the number of their entries where these are stored."""
    if not checkpoint.format.is_whole:
        return
    try:
        lookups = outermost(lookups_in_checkpoint(checkpoint, part_in(architecture)))
        yield from with_entry_counts(checkpoint, lookups)
    except CheckpointError:  # `info` describes the rest of the file; commands that need the vocabularies report it
        return


def _outputs(architecture: Architecture) -> tuple[tuple[str, Shape | None], ...]:
    """The output layers of a model with their output shapes: computed, else as the config states them."""
    from ckpttool.model.summary import outputs_with_shapes  # here, since only models with a config need these rules

    return outputs_with_shapes(architecture)


def _support(checkpoint: Checkpoint) -> "Support | None":
    from ckpttool.model.support import support_of  # here, since it brings the tables of what Keras 3 builds

    return support_of(checkpoint)


def _layer_count(checkpoint: Checkpoint, architecture: Architecture | None) -> int | None:
    """The number of layers, nested ones included; None where neither config nor file lists them."""
    if architecture and (architecture.layers or architecture.class_name in _LISTING_CLASSES):
        return len(architecture.layers)
    return len(set(checkpoint.layer_names)) or None


def _dtypes(checkpoint: Checkpoint) -> dict[str, int]:
    """The number of the model's parameters of each dtype, the commonest dtype first."""
    counts: dict[str, int] = {}
    for weight in checkpoint.section(Section.MODEL):
        counts[weight.dtype] = counts.get(weight.dtype, 0) + weight.size
    return dict(sorted(counts.items(), key=lambda item: -item[1]))


def _compile_settings(config: Any) -> Iterator[tuple[str, str]]:
    """The settings of `compile`, each in a few words."""
    if not isinstance(config, dict):
        return
    for key in ("loss", "metrics", "weighted_metrics", "loss_weights"):
        text = setting_text(config.get(key))
        if text:
            yield key, text


def setting_text(value: Any, depth: int = 0) -> str:
    """A compile setting in a few words: names of losses and metrics, objects by class."""
    if depth > 4 or value is None:
        return ""
    if isinstance(value, dict):
        return _dict_text(value, depth)
    if isinstance(value, list | tuple):
        return ", ".join(filter(None, (setting_text(item, depth + 1) for item in value)))
    return str(value)[:200]


def _dict_text(value: dict[str, Any], depth: int) -> str:
    name = value.get("class_name")
    if isinstance(name, str):
        inner = value.get("config")
        if isinstance(inner, dict):  # training logs show the name, and only by it do two MeanMetricWrappers differ
            inner = inner.get("name")
        return inner if isinstance(inner, str) else name
    return ", ".join(f"{key}: {text}" for key, item in value.items() if (text := setting_text(item, depth + 1)))


def optimizer_of(checkpoint: Checkpoint) -> Optimizer | None:
    """The optimizer whose config or state a checkpoint has; None where it has neither."""
    state, config = checkpoint.section(Section.OPTIMIZER), _optimizer_config(checkpoint.training_config)
    if not state and not config:
        return None
    class_name, steps = config.get("class_name"), _without_scale(state)
    rate, source = _scalar(_by_name(steps, _LEARNING_RATE) or _at_place(steps, 1, "float32")), "state"
    if rate is None:
        rate, source = _configured_rate(config.get("config")), "config"
    iteration = _scalar(_by_name(steps, _ITERATION) or _at_place(steps, 0, *_ITERATION_DTYPES))
    return Optimizer(
        class_name=class_name.rpartition(">")[2] if isinstance(class_name, str) else None,
        iteration=scalars.whole(iteration),
        learning_rate=rate,
        learning_rate_from=source if rate is not None else "",
        weights=len(state),
    )


def _optimizer_config(config: Any) -> dict[str, Any]:
    if not isinstance(config, dict):
        return {}
    optimizer = config.get("optimizer_config", config.get("optimizer"))
    if isinstance(optimizer, str):
        return {"class_name": optimizer}
    return optimizer if isinstance(optimizer, dict) else {}


def _without_scale(state: tuple[Weight, ...]) -> tuple[Weight, ...]:
    """The state of the optimizer inside a LossScaleOptimizer, which counts the steps and has the learning rate; those
    of its own are always 0 (keras/src/optimizers/loss_scale_optimizer.py, 3.15). Any other state as it is.

    Files that name the variables list those of the inner optimizer behind the scale.
    """
    inner = tuple(weight for weight in state if _INNER in weight.path.split("/"))
    scales = (at for at, weight in enumerate(state) if weight.name and weight.name.endswith(_SCALE))
    return inner or state[next(scales, -1) + 1 :]


def _by_name(state: tuple[Weight, ...], pattern: re.Pattern[str]) -> Weight | None:
    """The first scalar of the optimizer's state whose stored name fits a pattern; None where there is none."""
    return next((weight for weight in state if weight.name and not weight.shape and pattern.search(weight.name)), None)


def _at_place(state: tuple[Weight, ...], index: int, *dtypes: str) -> Weight | None:
    """The scalar at a fixed place of the path layout; None where there is none of these dtypes.

    The iteration comes first, then the learning rate (`Optimizer.__init__`, keras/src/optimizers/base_optimizer.py,
    3.15).
    """
    for weight in state:
        if (
            weight.name is None
            and not weight.shape
            and weight.dtype in dtypes
            and weight.path.endswith(f"vars/{index}")
        ):
            return weight
    return None


def _scalar(weight: Weight | None) -> float | None:
    if weight is None:
        return None
    try:
        return scalars.real(weight.read().item())
    except (CheckpointError, ValueError):
        return None


def _configured_rate(config: Any) -> float | None:
    if not isinstance(config, dict):
        return None
    return scalars.real(with_new_rate(config).get("learning_rate"))


def companion(checkpoint: Checkpoint) -> Path | None:
    """The architecture file beside a weights file whose slots the weights fill; None where there is none.

    Files are found by their names; of several that fit, the one with the most similar name is returned.
    """
    return next((place for place in _companions(checkpoint.path) if _fits(checkpoint, place)), None)


def _fits(checkpoint: Checkpoint, place: Path) -> bool:
    """Whether every weight has its slot in the architecture at `place`, and every slot its weight.

    True where the architecture has layers of unknown classes, whose weights may be any.
    """
    from ckpttool.alignment.alignment import align  # here, since only a file without a config needs the layer table
    from ckpttool.model.architecture_parts import part_in
    from ckpttool.model.layouts import opaque_in
    from ckpttool.model.text_files import architecture_of_text

    try:
        architecture = architecture_of_text(place)
        alignment, part = align(checkpoint, architecture), part_in(architecture)
    except CheckpointError:
        return False
    is_complete = bool(alignment.aligned) and not alignment.missing and not alignment.left
    return is_complete or any(True for _ in opaque_in(part))


def _companions(path: Path) -> list[Path]:
    """The files beside a weights file that look like its architecture, the most similar name first."""
    stem = _stem(path.name)
    try:
        entries = [entry for entry in os.scandir(path.parent) if entry.name.lower().endswith(_ARCHITECTURE_SUFFIXES)]
    except OSError:
        return []
    scored = [(_likeness(stem, _stem(entry.name)), entry) for entry in entries[:_MAX_SIBLINGS]]
    close = sorted((pair for pair in scored if pair[0] >= _LEAST_LIKENESS), key=lambda pair: (-pair[0], pair[1].name))
    return [path.parent / entry.name for _, entry in close if _is_architecture(entry.path)][:_MOST_COMPANIONS]


def _likeness(a: str, b: str) -> float:
    """The similarity of two names, from 0 to 1."""
    from difflib import SequenceMatcher

    return SequenceMatcher(None, a, b).ratio()


def _stem(name: str) -> str:
    """A file name without suffixes and without words such as "weights" or "architecture": `cnn` of `cnn_weights.h5`."""
    stem = name.split(".")[0]
    return _ROLE.sub("", stem) or stem


def _is_architecture(path: str) -> bool:
    """Whether a file begins like the config of a model."""
    try:
        with FileSource(path) as source:
            head = source.read(0, min(source.size, 64 << 10))
    except CheckpointError:
        return False
    return b"class_name" in head or (b"layers" in head and b"weight_map" not in head)
