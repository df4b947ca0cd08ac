"""The preparation of a conversion: from a checkpoint to its config and its weights in the form of Keras 3."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from ckpttool.alignment.alignment import Alignment, align, moved_path
from ckpttool.alignment.vocabularies import by_keras3_path
from ckpttool.checkpoint import Checkpoint, Section
from ckpttool.conversion import vocabularies
from ckpttool.conversion.compile import trainability
from ckpttool.conversion.compile.optimizer_state import state
from ckpttool.conversion.compile.trained_weights import own_slots, with_placed
from ckpttool.conversion.config import (
    adapted_layers,
    functions,
    graph_vocabularies,
    lambdas,
    multi_gpu,
    open_axes,
    toolkit_wrappers,
    unfilled_layers,
)
from ckpttool.conversion.config.result import Rewritten
from ckpttool.conversion.config.rewriter import rewrite
from ckpttool.conversion.journal import Journal
from ckpttool.conversion.live.target import prepare_live
from ckpttool.conversion.options import Options
from ckpttool.conversion.origin import Origin
from ckpttool.conversion.payload import (
    LEGACY,
    Prepared,
    in_layers,
    layers_of,
    metadata,
    refuse_other_shapes,
    refuse_unmatched,
    reversed_kernels,
)
from ckpttool.conversion.targets import FORMS, Payload
from ckpttool.conversion.weights import cudnn, shared_layers
from ckpttool.conversion.weights.own_classes import OwnWeights, is_of_layer, own_weights, with_own
from ckpttool.conversion.weights.placement import PlacedWeight, placed_weights
from ckpttool.errors import CheckpointError, ConversionError
from ckpttool.formats.assets import read_assets
from ckpttool.formats.weight_paths import is_of_inner_optimizer, keras3_path, section_of, split
from ckpttool.formats.write.archive import Model
from ckpttool.formats.write.legacy import KERAS_VERSION
from ckpttool.formats.write.path_layout import Content
from ckpttool.model import Architecture, architecture_of, plain_saved_models, read_architecture, unlisted_layers
from ckpttool.model.architecture_parts import part_in
from ckpttool.model.class_names import snake_case
from ckpttool.model.config import mappings_in
from ckpttool.model.generations.generation import Generation
from ckpttool.model.layouts import layers_in, names_in, places_of
from ckpttool.model.slots import Part
from ckpttool.model.spec import spec_of


def prepare(
    checkpoint: Checkpoint, architecture: Architecture | None, form: str, options: Options, journal: Journal
) -> Prepared:
    """Prepare the conversion of a checkpoint to a form; reasons against it are refusals in the journal.

    Raises ConfigError where the config makes no sense, and ConversionError where one is needed and there is none.
    """
    if architecture is not None and architecture.part is not None:
        return prepare_live(checkpoint, architecture, form, options, journal)
    model = functions.with_builtins(architecture or architecture_of(checkpoint), options.builtins, journal)
    if model is None or not model.layers:
        return _without_config(checkpoint, form, model, options.optimizer)
    generation = model.generation
    if generation is Generation.KERAS_2:  # wrappers of the toolkit and of several devices are written by no other Keras
        checkpoint, model = toolkit_wrappers.unwrapped(
            checkpoint, multi_gpu.single_architecture(model, journal), journal
        )
    # A config of Keras 3 is kept as it is, save where a whole model has code that Keras would refuse to load.
    is_unchanged = generation is Generation.KERAS_3 and checkpoint.format.has_paths and form != LEGACY
    if is_unchanged and not (FORMS[form].whole and _holds_code(model.config)):
        journal.lambdas += lambdas.layers_in(model.config)
        return _unchanged(checkpoint, model, form, options, journal)
    return _rewritten(checkpoint, model, generation, form, options, journal)


_ARCHITECTURE = "--arch with the model's architecture: a .json, .yaml, whole model, or package.module:function"


def _without_config(checkpoint: Checkpoint, form: str, architecture: Architecture | None, optimizer: bool) -> Prepared:
    """Prepare weights of the path layout for another form of that layout, without a config that lists layers. Raises
    ConversionError for other layouts, which need the model."""
    if not checkpoint.format.has_paths or FORMS[form].whole or form == LEGACY:
        if checkpoint.format.is_foreign:  # no architecture helps, so that none is asked for
            problem = "is HDF5 of another program: none of its arrays is a weight where Keras would store one"
            raise ConversionError(problem, path=str(checkpoint.path), expected="a checkpoint of Keras")
        if architecture is None and (plain := plain_saved_models.refusal(checkpoint)) is not None:
            raise plain
        problem = "stores only weights, whose places in another layout depend on the model"
        hint = ""
        if architecture is not None:
            problem = f"stores {unlisted_layers.description(architecture)}"
            hint = unlisted_layers.next_step(architecture) if unlisted_layers.is_of_keras(architecture) else ""
        raise ConversionError(problem, path=str(checkpoint.path), expected="" if hint else _ARCHITECTURE, hint=hint)
    return _copied(checkpoint, None, form, "", "", optimizer)


def _holds_code(config: Any) -> bool:
    """Whether a config has a Lambda layer, at any depth."""
    return any(entry.get("class_name") in ("__lambda__", "Lambda") for entry in mappings_in(config))


def _check_optimizer(config: Any, form: str, journal: Journal) -> None:
    """Say of a compiled model that it names no optimizer: saving as .h5 takes it out of the settings of a live model,
    and a .keras that is saved afterwards lacks it (`model_metadata`, keras/src/legacy/saving/saving_utils.py, 3.15)."""
    compiled = config.get("compile_config") if isinstance(config, Mapping) else None
    if FORMS[form].whole and isinstance(compiled, Mapping) and compiled and "optimizer" not in compiled:
        loss = "the file names none, as that of a model that was saved as .h5 before: Keras 3 takes RMSprop, begun anew"
        journal.lose("optimizer", loss)


def _unchanged(
    checkpoint: Checkpoint, architecture: Architecture, form: str, options: Options, journal: Journal
) -> Prepared:
    """Prepare a model of Keras 3 for another form of the path layout: config and weights are unchanged."""
    config = architecture.config
    if not options.compiled and isinstance(config, Mapping):
        config = {key: value for key, value in config.items() if key != "compile_config"}
    target = replace(architecture, config=config, version=KERAS_VERSION)
    _check_optimizer(config, form, journal)
    copied = _copied(checkpoint, config, form, architecture.name, "Keras 3", options.optimizer and options.compiled)
    model = copied.payload.model
    part = _part(target)
    if part is not None:
        _check_vocabularies(part, by_keras3_path(model.assets), form, journal)
    # Names in the file were given by the user, and go before those that follow from the config.
    names = dict(names_in(part)) if part is not None else {}
    content = replace(model.content, names={**names, **model.content.names})
    return replace(copied, payload=Payload(replace(model, content=content)), target=target)


def _part(architecture: Architecture) -> Part | None:
    """The objects of a model, None where its config makes no sense."""
    try:
        return part_in(architecture)
    except CheckpointError:
        return None


def _copied(
    checkpoint: Checkpoint, config: Any, form: str, model: str, writer: str, optimizer: bool = True
) -> Prepared:
    """Prepare a copy of all weights at their paths, those of optimizers included if `optimizer` is true."""
    left_out = set() if optimizer else {Section.OPTIMIZER}
    of_model = (weight for weight in checkpoint.values() if weight.section is not Section.OTHER or is_of_layer(weight))
    inner = (weight for weight in of_model if optimizer or not is_of_inner_optimizer(split(weight.path)))
    weights = {weight.path: weight for weight in inner if weight.section not in left_out}
    names = {path: name for path, name in checkpoint.object_names.items() if section_of(split(path)) not in left_out}
    content = Content(weights, dict[str, str | None](names))
    assets = read_assets(checkpoint) if FORMS[form].whole else {}
    payload = Payload(Model(config, metadata(checkpoint.producer), content, assets))
    return Prepared(payload, (), model, writer, written=weights)


def _rewritten(
    checkpoint: Checkpoint,
    architecture: Architecture,
    generation: Generation,
    form: str,
    options: Options,
    journal: Journal,
) -> Prepared:
    """Prepare a model with its config rewritten for Keras 3 and its weights placed slot by slot."""
    architecture = _completed(architecture, checkpoint, journal)
    alignment = align(checkpoint, architecture)
    origin = _origin(checkpoint, architecture, generation, alignment)
    as_compiled, alignment = trainability.as_compiled(checkpoint, architecture, alignment, origin, options, journal)
    rewritten = rewrite(as_compiled, journal, options, origin)
    unfilled_layers.check(rewritten, FORMS[form].whole, journal)
    target = read_architecture(rewritten.config, KERAS_VERSION)
    assert target is not None
    if FORMS[form].whole and options.compiled:
        target = trainability.compiled(checkpoint, architecture, target, rewritten, origin, journal)
    part = part_in(target)
    rewritten = cudnn.arrangements(alignment, rewritten, journal)
    multi_gpu.note(alignment.inside, journal)
    turned = reversed_kernels(checkpoint, alignment, journal)
    placed, missing = placed_weights(alignment, rewritten, list(places_of(part)), turned)
    _refuse_unscaled(rewritten, alignment, journal)
    refuse_other_shapes(placed, journal)
    own = own_weights(checkpoint, architecture, alignment, rewritten, part, form, journal)
    assets = _assets(checkpoint, architecture, rewritten, part) if FORMS[form].whole else {}
    without = _check_vocabularies(part, assets, form, journal)
    # A layer without its vocabulary was refused as a whole; slots without a path are not in `.weights.h5`.
    absent = [slot for slot in missing if slot.path and slot.label.rpartition("/")[0] not in without]
    if not shared_layers.check(checkpoint, architecture, alignment, absent, journal):
        refuse_unmatched(absent, [left for left in alignment.left if left.path not in own.handled], part, journal)
    content = _content(part, placed, own)
    optimizer = target.config.get("compile_config", {}).get("optimizer")
    if optimizer and options.optimizer and not journal.refusals:  # a state belongs to weights that are all there
        spec = spec_of(target)
        spec = with_placed(spec, placed, slots := own_slots(own.by_path, spec))
        optimizer_variables = state(checkpoint, alignment, rewritten, spec, slots, optimizer, turned, journal)
        own_name = {"optimizer": snake_case(optimizer["class_name"])} if optimizer_variables else {}
        content = Content({**content.weights, **optimizer_variables}, {**content.names, **own_name})
    if options.optimizer and options.compiled and not journal.refusals:
        trainability.note_left_state(checkpoint, form, optimizer is not None, journal)
        trainability.note_inner(checkpoint, architecture, form, content.weights, journal)
    trainability.note_steps(checkpoint, architecture, alignment, target, placed, origin, journal)
    layers = with_own(layers_of(part, placed), own, placed, journal)
    payload = Payload(Model(target.config, metadata(checkpoint.producer), content, assets), layers)
    renamed = tuple(rewritten.labels.items())
    written = in_layers(layers) if form == LEGACY else content.weights
    return Prepared(payload, tuple(placed), target.name, f"Keras {generation.value}", renamed, written, target=target)


def _origin(checkpoint: Checkpoint, architecture: Architecture, generation: Generation, alignment: Alignment) -> Origin:
    """The origin of the model, with the summaries of data in its layers."""
    origin = Origin.of(checkpoint, architecture.config, generation, architecture.version)
    return replace(origin, summaries=adapted_layers.summaries(alignment))


def _refuse_unscaled(rewritten: Rewritten, alignment: Alignment, journal: Journal) -> None:
    """Refuse layers with the old hard_sigmoid none of whose weights are in the file."""
    for label in sorted(rewritten.unscaled(aligned.place.label for aligned in alignment.aligned)):
        journal.refuse(label, "hard_sigmoid, whose slope differs in Keras 3, without weights that could be multiplied")


def _completed(architecture: Architecture, checkpoint: Checkpoint, journal: Journal) -> Architecture:
    """The architecture with what only the weights and the graphs of the file know: sizes of open axes, vocabularies."""
    with_sizes = open_axes.with_known_sizes(architecture, align(checkpoint, architecture), journal)
    return graph_vocabularies.with_vocabularies(with_sizes, checkpoint, journal)


def _check_vocabularies(part: Part, assets: Mapping[str, bytes], form: str, journal: Journal) -> frozenset[str]:
    """Check the vocabularies of a model. Returns the labels of the objects of a whole model that lack theirs."""
    if FORMS[form].whole:
        return vocabularies.check(part, assets, journal)
    vocabularies.note_left_behind(part, journal)
    return frozenset()


def _content(part: Part, placed: Sequence[PlacedWeight], own: OwnWeights) -> Content:
    """The weights of the path layout with the names of their objects: those of slots, and those of own classes."""
    weights = {weight.place.path: weight.weight for weight in placed if weight.place.path}
    return Content({**weights, **own.by_path}, {**dict(names_in(part)), **own.names})


def _assets(checkpoint: Checkpoint, architecture: Architecture, rewritten: Rewritten, part: Part) -> dict[str, bytes]:
    """The assets of layers, at the paths that these layers have in the new model."""
    new_paths = {chain: path for chain, path, _ in layers_in(part)}
    labels = {"/".join(layer.place): rewritten.label(layer.path, "") for layer in architecture.layers}
    moved = {path: new_paths[label] for path, label in labels.items() if new_paths.get(label)}
    return {moved_path(keras3_path(name), moved): raw for name, raw in read_assets(checkpoint).items()}
