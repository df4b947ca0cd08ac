"""From a checkpoint to what is written: its config in the words of Keras 3, and its weights in the places of today."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from ckpttool.alignment.alignment import align, moved_path
from ckpttool.alignment.vocabularies import by_keras3_path
from ckpttool.checkpoint import Checkpoint, Section
from ckpttool.conversion import vocabularies
from ckpttool.conversion.compile import crossentropies, regularizers
from ckpttool.conversion.compile.optimizer_state import state
from ckpttool.conversion.compile.settings import compile_config
from ckpttool.conversion.compile.stored_state import WHERE as STATE
from ckpttool.conversion.compile.trained_weights import own_slots, with_placed
from ckpttool.conversion.config import (
    adapted_layers,
    graph_vocabularies,
    lambdas,
    multi_gpu,
    open_axes,
    ragged,
    toolkit_wrappers,
)
from ckpttool.conversion.config.result import Rewritten, Unfilled
from ckpttool.conversion.config.rewriter import rewrite
from ckpttool.conversion.journal import Journal, NeedKind
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
from ckpttool.conversion.weights import cudnn
from ckpttool.conversion.weights.own_classes import OwnWeights, is_of_layer, own_weights, with_own
from ckpttool.conversion.weights.placement import Placed, placed
from ckpttool.errors import CheckpointError, ConversionError
from ckpttool.formats.assets import read_assets
from ckpttool.formats.weights_h5 import PATH_KINDS, keras3_path, section_of, split
from ckpttool.formats.write.archive import Model
from ckpttool.formats.write.path_layout import Content
from ckpttool.model import Architecture, architecture_of, read_architecture, unlisted
from ckpttool.model.arguments import Args
from ckpttool.model.class_names import snake_case
from ckpttool.model.generations.generation import Generation
from ckpttool.model.layouts import layers_in, names_in, places_of
from ckpttool.model.slots import Part
from ckpttool.model.spec import part_in, spec_of


def prepare(
    checkpoint: Checkpoint, architecture: Architecture | None, form: str, options: Options, journal: Journal
) -> Prepared:
    """What a conversion of a checkpoint to a form writes. Raises ConfigError where the config makes no sense, and
    ConversionError where there is none; what stands in the way else is refused in the journal."""
    if architecture is not None and architecture.part is not None:
        return prepare_live(checkpoint, architecture, form, options, journal)
    found = architecture or architecture_of(checkpoint)
    if found is None or not found.layers:
        return _without_config(checkpoint, form, found, options.optimizer)
    generation = found.generation
    if generation is Generation.KERAS_2:
        checkpoint, found = toolkit_wrappers.unwrapped(checkpoint, multi_gpu.stripped(found, journal), journal)
    as_it_is = generation is Generation.KERAS_3 and checkpoint.kind in PATH_KINDS and form != LEGACY
    if as_it_is and not (FORMS[form].whole and _holds_code(found.config)):
        journal.lambdas += lambdas.layers_in(found.config)
        return _as_it_is(checkpoint, found, form, options, journal)
    return _rewritten(checkpoint, found, generation, form, options, journal)


_ARCHITECTURE = "--arch with the model's architecture: a .json, .yaml, whole model, or package.module:function"


def _without_config(checkpoint: Checkpoint, form: str, architecture: Architecture | None, optimizer: bool) -> Prepared:
    """Weights of the path layout in another of its forms, without a config or with one that does not list layers."""
    if checkpoint.kind not in PATH_KINDS or FORMS[form].whole or form == LEGACY:
        if checkpoint.kind == "hdf5":
            what = "is HDF5 of another program: nothing in it is a weight in a layout of Keras"
            raise ConversionError(what, path=str(checkpoint.path), expected="a checkpoint of Keras")
        what = "stores weights only, whose places in another layout follow from the model"
        hint = ""
        if architecture is not None:
            what = f"stores {unlisted.description(architecture)}"
            hint = unlisted.next_step(architecture) if unlisted.is_of_keras(architecture) else ""
        raise ConversionError(what, path=str(checkpoint.path), expected="" if hint else _ARCHITECTURE, hint=hint)
    return _copied(checkpoint, None, form, "", "", optimizer)


def _holds_code(config: Any) -> bool:
    """Whether a config has a Lambda layer, however deep."""
    stack = [config]
    while stack:
        value = stack.pop()
        if isinstance(value, Mapping):
            if value.get("class_name") in ("__lambda__", "Lambda"):
                return True
            stack.extend(value.values())
        elif isinstance(value, list):
            stack.extend(value)
    return False


def _as_it_is(
    checkpoint: Checkpoint, architecture: Architecture, form: str, options: Options, journal: Journal
) -> Prepared:
    """A model of Keras 3 in another form of the path layout: the config and every weight as they are."""
    config = architecture.config
    if not options.compiled and isinstance(config, Mapping):
        config = {key: value for key, value in config.items() if key != "compile_config"}
    found = _copied(checkpoint, config, form, architecture.name, "Keras 3", options.optimizer and options.compiled)
    model = found.payload.model
    part = _part(architecture)
    if part is not None:
        _check_vocabularies(part, by_keras3_path(model.assets), form, journal)
    names = dict(names_in(part)) if part is not None else {}
    content = replace(model.content, names={**names, **model.content.names})
    return replace(found, payload=Payload(replace(model, content=content)), today=architecture)


def _part(architecture: Architecture) -> Part | None:
    """The objects of a model, None where its config makes no sense."""
    try:
        return part_in(architecture)
    except CheckpointError:
        return None


def _copied(
    checkpoint: Checkpoint, config: Any, form: str, model: str, writer: str, optimizer: bool = True
) -> Prepared:
    left = set() if optimizer else {Section.OPTIMIZER}
    kept = (one for one in checkpoint.values() if one.section is not Section.OTHER or is_of_layer(one))
    weights = {weight.path: weight for weight in kept if weight.section not in left}
    names = {path: name for path, name in checkpoint.object_names.items() if section_of(split(path)) not in left}
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
    """A model in the words of Keras 3, its weights placed slot by slot."""
    architecture = open_axes.stated(architecture, align(checkpoint, architecture), journal)
    architecture = graph_vocabularies.with_vocabularies(architecture, checkpoint, journal)
    alignment = align(checkpoint, architecture)
    origin = replace(
        Origin.of(checkpoint, architecture.config, generation), summaries=adapted_layers.summaries(alignment)
    )
    rewritten = rewrite(architecture, journal, options, origin)
    _check_calls(rewritten, FORMS[form].whole, journal)
    today = read_architecture(rewritten.config)
    assert today is not None
    if FORMS[form].whole and options.compiled:
        _compile(checkpoint, architecture, today, rewritten, journal)
    part = part_in(today)
    rewritten = cudnn.laid_out(alignment, rewritten, journal)
    multi_gpu.note(alignment.inside, journal)
    turned = reversed_kernels(checkpoint, alignment, journal)
    found, missing = placed(alignment, rewritten, list(places_of(part)), turned)
    for label in sorted(rewritten.unscaled(one.place.label for one in alignment.aligned)):
        journal.refuse(label, "hard_sigmoid, whose slope is another today, and no weights to take the difference")
    refuse_other_shapes(found, journal)
    own = own_weights(checkpoint, architecture, alignment, rewritten, part, form, journal)
    assets = _assets(checkpoint, architecture, rewritten, part) if FORMS[form].whole else {}
    without = _check_vocabularies(part, assets, form, journal)
    absent = (one for one in missing if one.path and one.label.rpartition("/")[0] not in without)
    refuse_unmatched(absent, [one for one in alignment.left if one.path not in own.judged], part, journal)
    content = _content(part, found, own)
    optimizer = rewritten.config.get("compile_config", {}).get("optimizer")
    if optimizer and options.optimizer and not journal.refusals:
        spec = spec_of(today)
        spec = with_placed(spec, found, slots := own_slots(own.by_path, spec))
        kept = state(checkpoint, alignment, rewritten, spec, slots, optimizer, turned, journal)
        names = {**content.names, "optimizer": snake_case(optimizer["class_name"])} if kept else content.names
        content = Content({**content.weights, **kept}, names)
    if options.optimizer and options.compiled and not journal.refusals:
        _note_left_state(checkpoint, form, optimizer is not None, journal)
    layers = with_own(layers_of(part, found), own, found, journal)
    payload = Payload(Model(rewritten.config, metadata(checkpoint.producer), content, assets), layers)
    renamed = tuple(rewritten.labels.items())
    written = in_layers(layers) if form == LEGACY else content.weights
    return Prepared(payload, tuple(found), today.name, f"Keras {generation.value}", renamed, written, today=today)


def _note_left_state(checkpoint: Checkpoint, form: str, compiled: bool, journal: Journal) -> None:
    """Notes that a target does not carry the state of the optimizer: it holds weights alone, or no optimizer of Keras 3
    takes the place of the old one."""
    count = sum(weight.shape != () for weight in checkpoint.section(Section.OPTIMIZER))
    if count and not FORMS[form].whole:
        journal.lose(STATE, f"its state, {count:,} arrays: what is written holds the weights alone")
    elif count and not compiled:
        journal.lose(STATE, f"its state, {count:,} arrays: no optimizer of Keras 3 is compiled in its place")


def _compile(
    checkpoint: Checkpoint, architecture: Architecture, today: Architecture, rewritten: Rewritten, journal: Journal
) -> None:
    """Write what the model was compiled with into its config; note what is measured otherwise."""
    settings, version = _compiled_with(checkpoint, architecture)
    compiled = compile_config(settings, version, _outputs(architecture, today), journal)
    if compiled:
        crossentropies.note(rewritten.config, compiled["loss"], version, journal)
        regularizers.note(rewritten.config, journal)
        rewritten.config |= {"compile_config": compiled}  # which `today` has, too


def _check_vocabularies(part: Part, assets: Mapping[str, bytes], form: str, journal: Journal) -> frozenset[str]:
    """Notes what becomes of the vocabularies of a model; gives the objects of a whole model that have none."""
    if FORMS[form].whole:
        return vocabularies.check(part, assets, journal)
    vocabularies.note_left_behind(part, journal)
    return frozenset()


def _check_calls(rewritten: Rewritten, whole: bool, journal: Journal) -> None:
    """Refuses a model some layers of which lack their function, or get ragged tensors that they do not take; weights
    alone need the function where they are loaded."""
    for one in rewritten.without_function:
        _note_function(one, whole, journal)
    if whole and not journal.refusals:  # which leave holes in the config
        ragged.check(Args.of(rewritten.config), journal)


def _note_function(layer: Unfilled, whole: bool, journal: Journal) -> None:
    """Notes a layer that lacks its function, with what that computes where it is known."""
    if not whole:
        what = f", which computes {layer.computes}," if layer.computes else ""
        told = f"the function of this {layer.class_name}{what} in the model that the weights are for"
        return journal.need(layer.label, told, NeedKind.FUNCTION)
    what = f" that computes {layer.computes}" if layer.computes else ", which holds code"
    advice = f"--replace {layer.name}=package.module:function puts a function of yours in place"
    return journal.refuse(layer.label, f"a {layer.class_name} layer{what}; {advice}")


def _compiled_with(checkpoint: Checkpoint, architecture: Architecture) -> tuple[Any, str | None]:
    """What the source says that the model was compiled with, and the version of the Keras that says so. Where it has
    the state of an optimizer alone, as a checkpoint of TensorFlow, the file of the architecture says what of."""
    config, version = architecture.config, checkpoint.producer.keras_version
    own = checkpoint.training_config or (config.get("compile_config") if isinstance(config, Mapping) else None)
    if own or not checkpoint.section(Section.OPTIMIZER):
        return own, version
    return architecture.training_config, version or architecture.version


def _outputs(architecture: Architecture, today: Architecture) -> list[tuple[str, str]]:
    """The outputs of a model as the source and as the new config call them."""
    return [(old, new) for (old, _), (new, _) in zip(architecture.outputs, today.outputs, strict=False)]


def _content(part: Part, found: Sequence[Placed], own: OwnWeights) -> Content:
    weights = {one.place.path: one.weight for one in found if one.place.path}
    return Content({**weights, **own.by_path}, {**dict(names_in(part)), **own.names})


def _assets(checkpoint: Checkpoint, architecture: Architecture, rewritten: Rewritten, part: Part) -> dict[str, bytes]:
    """The files that layers keep, at the paths that these layers have today."""
    today = {chain: path for chain, path, _ in layers_in(part)}
    layers = {"/".join(layer.place): rewritten.label(layer.path, "") for layer in architecture.layers}
    moved = {path: today[label] for path, label in layers.items() if today.get(label)}
    return {moved_path(keras3_path(name), moved): raw for name, raw in read_assets(checkpoint).items()}
