"""The preparation of a conversion for a live model of the user's own: its config, and the checkpoint's weights matched
to its variables."""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

from ckpttool.alignment.alignment import align, key_of
from ckpttool.checkpoint import Checkpoint, Section, Weight
from ckpttool.conversion.compile.optimizer_state import state
from ckpttool.conversion.compile.stored_state import WHERE
from ckpttool.conversion.config import multi_gpu
from ckpttool.conversion.config.result import Rewritten
from ckpttool.conversion.journal import Journal
from ckpttool.conversion.live import match_evidence, saved_config, slopes
from ckpttool.conversion.live.saved_config import Source, config_of
from ckpttool.conversion.options import Options
from ckpttool.conversion.origin import Origin
from ckpttool.conversion.payload import (
    LEGACY,
    Prepared,
    in_layers,
    layers_of,
    metadata,
    refuse_unmatched,
    reversed_kernels,
)
from ckpttool.conversion.targets import FORMS, Payload
from ckpttool.conversion.weights import cudnn, deviations
from ckpttool.conversion.weights.placement import PlacedWeight, placed_at
from ckpttool.conversion.weights.transforms import Arrangement
from ckpttool.errors import ConversionError
from ckpttool.formats.assets import read_assets
from ckpttool.formats.write.archive import Model
from ckpttool.formats.write.legacy import KERAS_VERSION
from ckpttool.formats.write.path_layout import Content
from ckpttool.model import Architecture, architecture_of, read_architecture
from ckpttool.model.architecture_parts import part_in
from ckpttool.model.arguments import Args
from ckpttool.model.class_names import snake_case
from ckpttool.model.generations.generation import Generation
from ckpttool.model.layouts import Place, keeping_assets_in, names_in, opaque_in, places_of
from ckpttool.model.sizes import shapes_fit
from ckpttool.model.slots import Part
from ckpttool.model.spec import spec_of
from ckpttool.paths import path_from
from ckpttool.verification import loaders

EDITS = (match_evidence.PLACE, *saved_config.EDITS)

_OPTIMIZER = "optimizer"


def prepare_live(checkpoint: Checkpoint, live: Architecture, form: str, options: Options, journal: Journal) -> Prepared:
    """Prepare the conversion of a checkpoint to a form for a live model; reasons against it are refusals in the
    journal."""
    if options.functions or options.keep_weights:
        raise ConversionError(
            "--replace and --keep-weights change the config of a file",
            expected="neither, where a function of yours returns the model (--arch)",
        )
    part = _without_optimizer(part_in(live))
    source = Source(
        checkpoint,
        live,
        part,
        align(checkpoint, live),
        architecture_of(checkpoint),
    )
    multi_gpu.note(source.alignment.inside, journal)
    turned = reversed_kernels(checkpoint, source.alignment, journal)
    scaled = slopes.scaled_in(live, source.generation, journal)
    rewritten = Rewritten(live.config, {}, {}, scaled, dict(_arrangements(source, journal)))
    rewritten = cudnn.arrangements(source.alignment, rewritten, journal)
    written_by = source.alignment.generation
    if source.stored_architecture is None and written_by is not None:
        origin = Origin.of(checkpoint, None, written_by)
        slopes.note_sigmoid(live, written_by, origin, rewritten.arrangements, journal)
    placed, missing = _placed(source, rewritten, turned)
    own = _opaque_weights(source, form, journal) | _of_other_optimizers(source)
    left = [weight for weight in source.alignment.left if weight.path not in own]
    refuse_unmatched((place for place in missing if _is_written(place, form)), left, part, journal)
    match_evidence.note_evidence(checkpoint, live, source.alignment, journal)
    config = config_of(source, form, options, journal)
    optimizer_state = (
        {} if journal.refusals or not options.optimizer else _state(source, config, form, rewritten, turned, journal)
    )
    content = Content(
        {weight.place.path: weight.weight for weight in placed if weight.place.path} | own | optimizer_state,
        _names(part, config, optimizer_state),
    )
    assets = _assets(source, journal) if FORMS[form].whole else {}
    layers = layers_of(part, placed)
    payload = Payload(Model(config, metadata(checkpoint.producer), content, assets), layers)
    written = in_layers(layers) if form == LEGACY else content.weights
    return Prepared(payload, tuple(placed), live.name, "", (), written, live, read_architecture(config, KERAS_VERSION))


def _without_optimizer(part: Part) -> Part:
    return replace(part, children=tuple((at, child) for at, child in part.children if at != _OPTIMIZER))


def _assets(source: Source, journal: Journal) -> dict[str, bytes]:
    """The assets of layers, which only a `.keras` has. Layers that need theirs and have none are refused."""
    assets = read_assets(source.checkpoint)
    for path in keeping_assets_in(source.part):
        if not any(name.startswith(f"{path}/") for name in assets):
            reason = "has a vocabulary or other files of its own, and the source has none"
            journal.refuse(
                path, f"{reason}; pass them to the layer as an argument, or write weights only (.weights.h5)"
            )
    return assets


def _names(part: Part, config: Mapping[str, Any], optimizer_state: Mapping[str, Weight]) -> dict[str, str | None]:
    names: dict[str, str | None] = dict(names_in(part))
    optimizer = (config.get("compile_config") or {}).get("optimizer")
    if optimizer_state and optimizer:
        names[_OPTIMIZER] = snake_case(optimizer["class_name"])
    return names


def _is_written(place: Place, form: str) -> bool:
    """Whether a form stores a slot by itself."""
    return place.index is not None if form == LEGACY else bool(place.path)


def _placed(source: Source, rewritten: Rewritten, turned: bool) -> tuple[list[PlacedWeight], list[Place]]:
    """The weights of the slots, and the slots without a weight. A borrowed slot gets the weight of its owner, which
    legacy files store once."""
    sources = {key_of(aligned.place): aligned for aligned in source.alignment.aligned}
    placed, missing = list[PlacedWeight](), list[Place]()
    for place in places_of(source.part):
        aligned = sources.get(key_of(place))
        if aligned is None and place.slot.borrowed:
            owner = path_from(place.owner, place.slot.borrowed)
            aligned = sources.get((place.group, owner, place.slot.name))
        if aligned is None:
            missing.append(place)
        else:
            placed.append(placed_at(place, aligned, rewritten, turned))
    return placed, missing


def _arrangements(source: Source, journal: Journal) -> Iterator[tuple[str, Arrangement]]:
    """The moving variances that early versions of Keras stored as another statistic, by their labels."""
    if source.alignment.generation not in (Generation.KERAS_0, Generation.KERAS_1):
        return
    origin = Origin.of(source.checkpoint, None, source.alignment.generation)
    entries = {layer.path: layer.entry for layer in source.live.layers if isinstance(layer.entry, Mapping)}
    for place in places_of(source.part):
        if place.slot.name != deviations.SLOT:
            continue
        if place.layer not in entries or place.name != deviations.SLOT:
            journal.guess(place.label, "taken as a variance, although Keras did not store one up to 1.0.5")
            continue
        args = Args.of(entries[place.layer])
        how = deviations.variance_arrangement(args, source.alignment.generation, origin, place.layer, journal)
        if how is not None:
            yield place.label, how


def _opaque_weights(source: Source, form: str, journal: Journal) -> dict[str, Weight]:
    """The weights of objects that load them in a way of their own. Between forms of the path layout their paths do not
    change; to and from other layouts only their own code could convert them, so that they are refused."""
    by_path = dict[str, Weight]()
    stored = [*source.alignment.left, *source.checkpoint.section(Section.OTHER)]
    for chain, owner, path in opaque_in(source.part):
        below = f"{path}/vars/" if path else "vars/"
        weights = {weight.path: weight for weight in stored if weight.path.startswith(below)}
        if owner.slots and source.by_paths != (form != LEGACY):
            reason = "loads its weights in a way of its own, so that only its code could convert them to this layout"
            journal.refuse(chain, reason)
        elif owner.slots and form != LEGACY and not weights:
            journal.refuse(chain, "the source has no weights for it")
        by_path |= weights
    return by_path


def _of_other_optimizers(source: Source) -> dict[str, Weight]:
    """The state of optimizers of the model beside the one that it is compiled with."""
    slots = {slot.path: slot for slot in spec_of(source.live).optimizer if not slot.path.startswith(f"{_OPTIMIZER}/")}
    left = {weight.path: weight for weight in source.alignment.left if weight.path in slots}
    return {path: weight for path, weight in left.items() if shapes_fit(slots[path].shape, weight.shape)}


def _state(
    source: Source, config: Mapping[str, Any], form: str, rewritten: Rewritten, turned: bool, journal: Journal
) -> dict[str, Weight]:
    """The state of the optimizer where it fits; where it does not, that is noted as a loss."""
    settings = config.get("compile_config") or {}
    stored = source.checkpoint.section(Section.OPTIMIZER)
    if form == LEGACY or not (settings.get("optimizer") if FORMS[form].whole else stored):
        if stored and FORMS[form].whole:
            journal.lose(WHERE, "its state: the new model is compiled with no optimizer")
        return {}
    if settings == source.live.config.get("compile_config") and (variables := _as_live(source, journal)):
        return variables
    if not FORMS[form].whole:
        journal.lose(WHERE, "its state: the live model is not compiled with an optimizer that has these variables")
        return {}
    target = replace(source.live, config=config, part=source.part)
    optimizer = settings["optimizer"]
    return state(source.checkpoint, source.alignment, rewritten, spec_of(target), (), optimizer, turned, journal)


def _as_live(source: Source, journal: Journal) -> dict[str, Weight]:
    """The stored state if all of it fits the live model's own optimizer, as Keras's loader pairs it; else empty."""
    spec = spec_of(source.live)
    own = tuple(slot for slot in spec.optimizer if slot.path.startswith(f"{_OPTIMIZER}/"))
    pairing = loaders.state(replace(spec, optimizer=own), source.checkpoint)
    if not pairing.pairs or pairing.missing or pairing.unexpected or pairing.raises:
        return {}
    if source.stored_architecture is None:
        journal.guess(WHERE, f"its state: {len(own)} variables in the order of the live model's optimizer")
    return {slot.path: weight for slot, weight in pairing.pairs}
