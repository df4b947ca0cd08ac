"""From a checkpoint to what is written: its config in the words of Keras 3, and its weights in the places of today."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timezone
from typing import Any

from ckpttool.aligning import Alignment, align
from ckpttool.architecture import Architecture, read_architecture
from ckpttool.architecture.dialects import Generation, generation_of, stored_order
from ckpttool.architecture.layouts import Place, layers_in, names_in, opaque_in, places_of
from ckpttool.architecture.sizes import Shape
from ckpttool.architecture.slots import Part
from ckpttool.architecture.spec import part_in, spec_of
from ckpttool.architecture.spelling import snake_case
from ckpttool.assembled import is_reversed
from ckpttool.checkpoint import Checkpoint, Producer, Section, Weight
from ckpttool.conversion.compiling import compile_config
from ckpttool.conversion.journal import ConversionError, Journal
from ckpttool.conversion.origin import Origin
from ckpttool.conversion.rewriting import Options, rewrite
from ckpttool.conversion.rewritten import Rewritten
from ckpttool.conversion.state import state
from ckpttool.conversion.targets import FORMS, Payload
from ckpttool.conversion.weights import Placed, placed
from ckpttool.errors import CheckpointError
from ckpttool.formats.assets import read_assets
from ckpttool.formats.weights_h5 import PATH_KINDS, as_keras_3, split
from ckpttool.writing.archive import Model
from ckpttool.writing.legacy import KERAS_VERSION, Layers
from ckpttool.writing.path_layout import Content

_LEGACY = "legacy-h5"


@dataclass(frozen=True, slots=True)
class Prepared:
    """What is written, the weights that were placed for it, and what was found out about the source."""

    payload: Payload
    placed: tuple[Placed, ...]
    model: str
    writer: str
    renamed: tuple[tuple[str, str], ...] = ()
    written: Mapping[str, Weight] = field(default_factory=dict)


def prepare(
    checkpoint: Checkpoint, architecture: Architecture | None, form: str, options: Options, journal: Journal
) -> Prepared:
    """What a conversion of a checkpoint to a form writes. Raises ConfigError where the config makes no sense, and
    ConversionError where there is none; what stands in the way else is refused in the journal."""
    found = architecture or read_architecture(checkpoint.config)
    if found is None or not (found.layers or found.part):
        return _without_config(checkpoint, form)
    version = checkpoint.producer.keras_version if architecture is None else None
    generation = generation_of(found.config, version)
    as_it_is = generation is Generation.KERAS_3 and checkpoint.kind in PATH_KINDS and form != _LEGACY
    if as_it_is and not (FORMS[form].whole and _holds_code(found.config)):
        return _as_it_is(checkpoint, found, form, options)
    return _rewritten(checkpoint, found, generation, form, options, journal)


def _without_config(checkpoint: Checkpoint, form: str) -> Prepared:
    """Weights of the path layout in another of its forms."""
    if checkpoint.kind not in PATH_KINDS or FORMS[form].whole or form == _LEGACY:
        raise ConversionError(
            "stores weights only, whose places in another layout follow from the model",
            path=str(checkpoint.path),
            expected="--arch with the model's architecture: a .json, .yaml, whole model, or package.module:function",
        )
    return _copied(checkpoint, None, form, "", "")


def _holds_code(config: Any) -> bool:
    """Whether a config has a Lambda layer with its code, however deep."""
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


def _as_it_is(checkpoint: Checkpoint, architecture: Architecture, form: str, options: Options) -> Prepared:
    """A model of Keras 3 in another form of the path layout: the config and every weight as they are."""
    config = architecture.config
    if not options.compiled and isinstance(config, Mapping):
        config = {key: value for key, value in config.items() if key != "compile_config"}
    found = _copied(checkpoint, config, form, architecture.name, "Keras 3", options.optimizer and options.compiled)
    model = found.payload.model
    content = replace(model.content, names={**_names(architecture), **model.content.names})
    return replace(found, payload=Payload(replace(model, content=content)))


def _names(architecture: Architecture) -> dict[str, str | None]:
    """The objects for which Keras writes a group, those without weights too; none where the config makes no sense."""
    try:
        return dict(names_in(part_in(architecture)))
    except CheckpointError:
        return {}


def _copied(
    checkpoint: Checkpoint, config: Any, form: str, model: str, writer: str, optimizer: bool = True
) -> Prepared:
    left = {Section.OTHER} if optimizer else {Section.OTHER, Section.OPTIMIZER}
    weights = {weight.path: weight for weight in checkpoint.values() if weight.section not in left}
    content = Content(weights, dict(_stored_names(checkpoint)))
    assets = read_assets(checkpoint) if FORMS[form].whole else {}
    payload = Payload(Model(config, _metadata(checkpoint.producer), content, assets))
    return Prepared(payload, (), model, writer, written=weights)


def _stored_names(checkpoint: Checkpoint) -> Iterator[tuple[str, str]]:
    """The objects whose names a file stores."""
    for weight in checkpoint.section(Section.MODEL):
        if weight.layer is not None:
            path = weight.path.rpartition("/vars/")[0]
            yield path, "/".join(filter(None, (weight.layer, weight.part))).rpartition("/")[2]


def _rewritten(
    checkpoint: Checkpoint,
    architecture: Architecture,
    generation: Generation,
    form: str,
    options: Options,
    journal: Journal,
) -> Prepared:
    """A model in the words of Keras 3, its weights placed slot by slot."""
    origin = Origin.of(checkpoint, architecture.config, generation)
    rewritten = rewrite(architecture.config, generation, journal, replace(options, whole=FORMS[form].whole), origin)
    today = read_architecture(rewritten.config)
    assert today is not None
    if FORMS[form].whole and options.compiled:
        settings, version = _compiled_with(checkpoint, architecture), checkpoint.producer.keras_version
        compiled = compile_config(settings, version, _outputs(architecture, today), journal)
        rewritten.config |= {"compile_config": compiled} if compiled else {}  # which `today` has, too
    part = part_in(today)
    alignment = align(checkpoint, architecture)
    turned = _reversed(checkpoint, alignment, journal)
    found, missing = placed(alignment, rewritten, list(places_of(part)), turned)
    for label in sorted(rewritten.unscaled(one.place.label for one in alignment.aligned)):
        journal.refuse(label, "hard_sigmoid, whose slope is another today, and no weights to take the difference")
    _refuse_other_shapes(found, journal)
    own = own_weights(alignment, part)
    taken = {weight.path for weight in own.values()}
    _refuse_what_is_wrong(missing, [one for one in alignment.left if one.path not in taken], part, journal)
    content = _content(part, found, own)
    optimizer = rewritten.config.get("compile_config", {}).get("optimizer")
    if optimizer and options.optimizer and not journal.refusals:
        wanted = spec_of(today).optimizer
        kept = state(checkpoint, alignment, rewritten, wanted, optimizer, turned, journal)
        names = {**content.names, "optimizer": snake_case(optimizer["class_name"])} if kept else content.names
        content = Content({**content.weights, **kept}, names)
    assets = _assets(checkpoint, architecture, rewritten, part) if FORMS[form].whole else {}
    payload = Payload(Model(rewritten.config, _metadata(checkpoint.producer), content, assets), _layers(part, found))
    renamed = tuple(rewritten.labels.items())
    written = _in_layers(payload.layers) if form == _LEGACY and payload.layers else payload.model.content.weights
    return Prepared(payload, tuple(found), today.name, f"Keras {int(generation)}", renamed, written)


def _compiled_with(checkpoint: Checkpoint, architecture: Architecture) -> Any:
    """What the source says that the model was compiled with."""
    config = architecture.config
    return checkpoint.training_config or (config.get("compile_config") if isinstance(config, Mapping) else None)


def _outputs(architecture: Architecture, today: Architecture) -> list[tuple[str, str]]:
    """The outputs of a model as the source and as the new config call them."""
    return [(old, new) for (old, _), (new, _) in zip(architecture.outputs, today.outputs, strict=False)]


def _reversed(checkpoint: Checkpoint, alignment: Alignment, journal: Journal) -> bool:
    """Whether kernels run the other way, which is noted where it is a guess and matters."""
    generation = alignment.generation
    turned = is_reversed(checkpoint, generation)
    told = checkpoint.producer.backend or checkpoint.producer.inferred_backend
    spatial = any(stored.slot is not None and stored.slot.spatial for one in alignment.aligned for stored in one.stored)
    if spatial and checkpoint.producer.backend is None:
        name = "Theano" if turned else "TensorFlow"
        why = "by the names of its weights" if told else "nothing in the file tells the backend"
        if generation in (Generation.KERAS_0, Generation.KERAS_1):
            journal.guess("kernels", f"as {name} has them: {why}; --source-backend says it")
    return turned


def own_weights(alignment: Alignment, part: Part) -> dict[str, Weight]:
    """The weights of layers of the user's own classes by their paths of today, where all are the layer's own, as their
    names tell: such a layer writes them in the order in which it had them."""
    found = dict[str, Weight]()
    for chain, _, path in opaque_in(part):
        weights = [weight for weight in alignment.left if weight.layer == chain]
        if all((weight.name or "//").removeprefix(f"{chain}/").count("/") == 0 for weight in weights):
            found |= {f"{path}/vars/{at}": weight for at, weight in enumerate(weights)}
    return found


def _refuse_other_shapes(found: Sequence[Placed], journal: Journal) -> None:
    """Refuses weights that do not fit into their slots: their layer was another than its config says."""
    for one in found:
        told, stored = one.place.slot.shape, one.weight.shape
        if told is not None and not _fits(stored, told):
            journal.refuse(one.place.label, f"a weight {stored}, where its config asks for {told}")


def _fits(stored: tuple[int, ...], told: Shape) -> bool:
    pairs = zip(stored, told, strict=False)
    return len(stored) == len(told) and all(wanted in (None, size) for size, wanted in pairs)


def _refuse_what_is_wrong(missing: Sequence[Place], left: Sequence[Weight], part: Part, journal: Journal) -> None:
    """Refuses slots without weights, and weights without slots."""
    for place in missing:
        if place.path:
            shape = "" if place.slot.shape is None else f" {place.slot.shape}"
            journal.refuse(place.label, f"the source has no weight for {place.slot.name}{shape}")
    opaque = {chain for chain, _, _ in opaque_in(part)}
    for weight in left:
        hint = " of a class of your own, whose weights only a live model tells" if weight.layer in opaque else ""
        journal.refuse(weight.path, f"a weight {weight.shape} that no slot of the model takes{hint}")


def _content(part: Part, found: Sequence[Placed], own: Mapping[str, Weight]) -> Content:
    weights = {one.place.path: one.weight for one in found if one.place.path}
    return Content({**weights, **own}, dict(names_in(part)))


def _assets(checkpoint: Checkpoint, architecture: Architecture, rewritten: Rewritten, part: Part) -> dict[str, bytes]:
    """The files that layers keep, at the paths that these layers have today."""
    today = {chain: path for chain, path, _ in layers_in(part)}
    moved = {"/".join(layer.place): today.get(rewritten.label(layer.path, ""), "") for layer in architecture.layers}
    found = dict[str, bytes]()
    for name, raw in read_assets(checkpoint).items():
        path = "/".join(as_keras_3(split(name)))
        place = path
        while place and not moved.get(place):
            place = place.rpartition("/")[0]
        found[moved[place] + path[len(place) :] if place else path] = raw
    return found


def _layers(part: Part, found: Sequence[Placed]) -> Layers:
    """The weights in the order and under the names of a legacy file of Keras 3."""
    weights = {(one.place.group, one.place.owner, one.place.slot.name): one.weight for one in found}
    layers = dict[str, dict[str, Weight]]()
    for _, top in part.tracks:
        order = stored_order(top, Generation.KERAS_3)
        keys = [((top.name, slot.owner, slot.slot.name), "/".join((*slot.chain, slot.slot.name))) for slot in order]
        layers[top.name] = {name: weights[key] for key, name in keys if key in weights}
    return Layers(layers)


def _in_layers(layers: Layers) -> dict[str, Weight]:
    """The weights by their paths in a legacy file."""
    return {f"{group}/{name}": weight for group, of in layers.layers.items() for name, weight in of.items()}


def _metadata(producer: Producer) -> dict[str, Any]:
    now = datetime.now(timezone.utc).strftime("%Y-%m-%d@%H:%M:%S")
    return {"keras_version": KERAS_VERSION, "date_saved": now}
