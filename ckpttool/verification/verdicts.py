"""The verdict on a checkpoint: weights and slots are paired as Keras does it, and each pair is judged."""

import fnmatch
import math
import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import nullcontext
from dataclasses import dataclass, replace
from itertools import chain
from operator import attrgetter
from types import MappingProxyType

from ckpttool.alignment.alignment import align
from ckpttool.alignment.names import Namer
from ckpttool.arrays.statistics import measure
from ckpttool.checkpoint import OF_TENSORFLOW, Checkpoint, Refusal, Section, Weight
from ckpttool.errors import CheckpointError
from ckpttool.formats import open_checkpoint
from ckpttool.formats.weight_paths import PATH_KINDS
from ckpttool.io import dtypes
from ckpttool.model import Architecture, architecture_of
from ckpttool.model.generations.generation import Generation
from ckpttool.model.sizes import shapes_fit
from ckpttool.model.spec import Spec, SpecSlot
from ckpttool.verification import (
    evidence,
    graph_state,
    holders,
    inner_state,
    legacy_state,
    loaders,
    object_graphs,
    old_keras,
    vocabularies,
)
from ckpttool.verification.expectation import Expectation, expectation_of, with_state
from ckpttool.verification.pairs import Pairing
from ckpttool.verification.result import Finding, Status, VerifyResult
from ckpttool.verification.state_shapes import with_stored_shapes

LOADERS: Mapping[str, Callable[..., Pairing]] = MappingProxyType(
    {"path": loaders.by_path, "order": loaders.by_order, "name": loaders.by_name}
)
"""The loaders of Keras, by the way in which they pair weights with slots."""

_PATH_SUFFIXES = (".keras", ".weights.h5", ".weights.json")
_ORDER_SUFFIXES = (".h5", ".hdf5")
_UNREAD = frozenset({"corrupt", "missing", "pointer", "link", "repeat", "external", "virtual"})
_GENERATOR_STATE = "seed_generator/vars/"


@dataclass(frozen=True, slots=True)
class Allowed:
    """The differences that do not count against a checkpoint.

    `missing` and `unexpected` are globs over layers, weights and paths. With `strict_dtypes` every other dtype counts,
    with `optimizer` also the state of the optimizer.
    """

    missing: tuple[str, ...] = ()
    unexpected: tuple[str, ...] = ()
    strict_dtypes: bool = False
    optimizer: bool = False


def verify(
    checkpoint: Checkpoint | str | os.PathLike[str],
    architecture: Spec | Architecture | Checkpoint | str | os.PathLike[str],
    by: str = "auto",
    allowed: Allowed = Allowed(),
    values: bool = False,
    progress: Callable[[int], None] = lambda nbytes: None,
    skip_mismatch: bool = False,
) -> VerifyResult:
    """The answer whether the weights of a checkpoint load into an architecture, and what Keras would do.

    `architecture` is a spec, an architecture, an open checkpoint, a file of one of them or of other weights, or
    "package.module:function", which a process of its own calls for a Keras model. `by` is the loader: "path", "order",
    "name", or "auto", as Keras chooses by the file's name. With `values` all matched weights are searched for NaN and
    Inf; `progress` gets the bytes of every block. `skip_mismatch` is that of `load_weights`. Raises CheckpointError.
    """
    expected = expectation_of(architecture, allowed.optimizer)
    with nullcontext(checkpoint) if isinstance(checkpoint, Checkpoint) else open_checkpoint(checkpoint) as opened:
        return _supported(_verified(opened, expected, by, allowed, values, progress, skip_mismatch), expected)


def _supported(result: VerifyResult, expected: Expectation) -> VerifyResult:
    """The result, corrected where Keras does not build or compile the architecture."""
    support = expected.support
    result = replace(result, of_weights=expected.of_weights)
    if support is None:
        return result
    keras, problems = result.keras, result.problems
    if support.obstacles:
        keras = "raises" if keras == "raises" else "cannot build"
        problems += () if support.by_writer_alone else tuple(obstacle.description for obstacle in support.obstacles)
    elif keras == "loads" and support.buildability.compile_obstacles and result.is_of_one_file:
        keras = "loads uncompiled"
    return replace(result, keras=keras, problems=problems, support=support)


def _verified(
    checkpoint: Checkpoint,
    expected: Expectation,
    by: str,
    allowed: Allowed,
    values: bool,
    progress: Callable[[int], None],
    skip_mismatch: bool,
) -> VerifyResult:
    checkpoint.require_one_view()
    loader, because, problems = _loader(checkpoint, by, expected)
    if not expected.spec.built:
        problems.append("the architecture has no input shape, so Keras creates no weights before the model is built")
    expected, pairing = _paired(expected, checkpoint, loader, skip_mismatch)
    spec, by_path = with_stored_shapes(expected.spec, pairing), loader == "path"
    if allowed.optimizer:
        spec, note, refused = with_state(spec, checkpoint, loader)
        because, problems = because + note, problems + refused
    state = _state(spec, checkpoint, loader, pairing, skip_mismatch)
    if allowed.optimizer or state.raises:  # a difference on which Keras raises counts in any case
        pairing.add(state)
    problems += [f"{refusal.place or 'file'}: {refusal.detail}" for refusal in _unread(checkpoint)]
    findings = _findings(checkpoint, pairing, loader, allowed)
    skips_all = skip_mismatch and by_path and problems == [_wrong_layout(checkpoint, loader)]
    lost = list(vocabularies.missing(spec, checkpoint))  # Keras loads the model and raises when it is called
    keras = "loads wrongly" if skips_all else _outcome_in_keras(pairing, problems, findings, lost, loader)
    problems += _parallel(checkpoint, expected, pairing, loader)
    if allowed.optimizer and (inner := inner_state.reason_for_skipped_state(expected.architecture, spec, checkpoint)):
        problems.append(f"Keras begins with a new state of an optimizer: {inner}")
    if pairing.raises and not findings:  # Keras raises although every weight fits
        problems.append(pairing.raises[0])
    if values:
        findings += _values(pairing, progress)
    opaque = spec.opaque if by_path else loaders.opaque_in_order(spec)
    return VerifyResult(
        checkpoint=checkpoint.path,
        kind=checkpoint.kind,
        architecture=expected.title,
        loader=loader,
        because=because,
        keras=keras,
        findings=tuple(_accepted(finding, allowed) for finding in findings),
        matched=_matched(pairing, findings),
        unchecked=tuple(w for w in pairing.unchecked if not _matches(w.path, w.layer or "", allowed.unexpected)),
        opaque=tuple(o for o in opaque if not _matches(o.path, o.layer, allowed.unexpected)),
        problems=(*problems, *lost),
        skipped=tuple(_skipped(spec, pairing)),
        parts=object_graphs.parts(checkpoint),
        skipped_state="" if allowed.optimizer else _skipped_state(expected, spec, checkpoint, loader, state),
    )


def _skipped_state(expected: Expectation, spec: Spec, checkpoint: Checkpoint, loader: str, state: Pairing) -> str:
    """The reason why Keras begins with a new state of an optimizer; empty where it does not."""
    if loader == "order":
        return legacy_state.reason_for_new_state(checkpoint)
    inner = inner_state.reason_for_skipped_state(expected.architecture, spec, checkpoint)
    return loaders.reason_for_skipped_state(state, checkpoint) or inner


def _paired(
    expected: Expectation, checkpoint: Checkpoint, loader: str, skip_mismatch: bool
) -> tuple[Expectation, Pairing]:
    """The expectation and the pairs.

    A model of the user's own class may have its layers at another place; then the weights of the file are expected.
    """
    pairing = _pairing(expected, checkpoint, loader, skip_mismatch)
    inner = holders.inner_pairing(expected.architecture, expected.spec, checkpoint) if pairing.raises else None
    return (expected, pairing) if inner is None else (expected.with_own_model(), inner)


def _pairing(expected: Expectation, checkpoint: Checkpoint, loader: str, skip_mismatch: bool) -> Pairing:
    """The pairs as Keras 3 makes them; where only an older Keras builds the architecture, as that one makes them."""
    if loader == "graph":
        return object_graphs.by_graph(expected.architecture, expected.spec, checkpoint, skip_mismatch)
    generations = old_keras.generations_for(checkpoint, expected.support)
    if expected.architecture is None or not generations or loader == "path":
        return LOADERS[loader](expected.spec, checkpoint, skip_mismatch)
    return old_keras.pair(expected.architecture, expected.spec, checkpoint, generations, LOADERS[loader], skip_mismatch)


def _parallel(checkpoint: Checkpoint, expected: Expectation, pairing: Pairing, loader: str) -> Iterator[str]:
    """The problem that all weights are those of a parallel model, whose inner model is the architecture."""
    if loader == "path" or expected.architecture is None or not pairing.raises:
        return
    inside = align(checkpoint, expected.architecture).inside
    if inside:
        yield (
            f"all weights stand in one model, {inside}, and fit in their order, as where multi_gpu_model wrote them "
            "(get_slice Lambdas, one model, Concatenate); ckpttool convert --arch places them"
        )


def _state(spec: Spec, checkpoint: Checkpoint, loader: str, model: Pairing, skip_mismatch: bool) -> Pairing:
    """The pairs of the optimizer's variables; `model` has those of the weights."""
    if loader == "path":
        return loaders.state(spec, checkpoint, skip_mismatch)
    if loader == "graph":
        return graph_state.state(spec, checkpoint, model)
    return legacy_state.state_by_order(spec, checkpoint)


def _findings(checkpoint: Checkpoint, pairing: Pairing, loader: str, allowed: Allowed) -> list[Finding]:
    """The findings on weights, slots and their pairs."""
    names = Namer.of(checkpoint, architecture_of(checkpoint))
    crossed = () if pairing.by_attributes else _crossed(checkpoint, pairing, loader, names)
    findings = [*_leftovers(pairing), *_mismatches(pairing, allowed), *crossed]
    return list(_with_skips(findings, pairing))


def _skipped(spec: Spec, pairing: Pairing) -> Iterator[SpecSlot]:
    """The slots that Keras skips; those of an older Keras are recognized by their places in a legacy file."""
    ours = chain((slot for slot, _ in (*pairing.pairs, *pairing.missing)), *(slot for slot, *_ in pairing.miscounted))
    places = {(slot.group, slot.index) for slot in ours if id(slot) in pairing.skipped and slot.group and not slot.path}
    slots = (*spec.slots, *spec.optimizer)
    return (slot for slot in slots if id(slot) in pairing.skipped or (slot.group, slot.index) in places)


def _loader(checkpoint: Checkpoint, by: str, expected: Expectation) -> tuple[str, str, list[str]]:
    """The loader, the reason for it, and the problems that it has with the file as a whole.

    Keras 3 chooses by the suffix alone (`load_weights`, keras/src/saving/saving_api.py, 3.15), older Keras by the
    content. A model that expects no weights loads from any layout.
    """
    expects, support = bool(expected.spec.slots), expected.support
    if checkpoint.kind in OF_TENSORFLOW:
        by_keras_2 = support is not None and support.writer is Generation.KERAS_2
        return "graph", object_graphs.BECAUSE, [] if by_keras_2 else [object_graphs.UNSUPPORTED]
    if by == "auto" and support and old_keras.reads(checkpoint, support):
        return "order", f"as Keras {support.writer.value} does", []
    suited = "path" if checkpoint.kind in PATH_KINDS else "order"
    if by != "auto":
        wrong = [] if (by == "path") == (suited == "path") or not expects else [_wrong_layout(checkpoint, by)]
        return by, "as asked", wrong
    name = checkpoint.path.name
    suffix = next((suffix for suffix in (*_PATH_SUFFIXES, *_ORDER_SUFFIXES) if name.endswith(suffix)), None)
    if suffix is None:
        problem = f"Keras loads no file of this name: it must end in {', '.join((*_PATH_SUFFIXES, *_ORDER_SUFFIXES))}"
        return suited, "by its content, since its name has no suffix that Keras knows", [problem]
    by = "path" if suffix in _PATH_SUFFIXES else "order"
    problem = _unsuited(checkpoint, suffix) or ("" if by == suited or not expects else _wrong_layout(checkpoint, by))
    return by, f"Keras chooses it for names in {suffix}", [problem] if problem else []


def _unsuited(checkpoint: Checkpoint, suffix: str) -> str:
    """The reason why Keras cannot open the file under this suffix; empty where it can."""
    is_archive = checkpoint.kind == "keras-zip"
    if suffix == ".keras" and not is_archive:
        return "named .keras, which Keras opens as a zip file, but this is none"
    if suffix != ".keras" and checkpoint.kind in ("keras-zip", "keras-dir"):
        return f"a .keras {'archive' if is_archive else 'directory'} named {suffix}, which Keras does not open as such"
    if checkpoint.kind == "keras0-weights":
        return "written by Keras 0.x, in whose files Keras finds no layers; ckpttool convert brings it into Keras 3"
    if suffix == ".weights.json" and checkpoint.kind != "sharded":
        return "named .weights.json, which Keras reads as the index of sharded weights, but this is none"
    return ""


def _wrong_layout(checkpoint: Checkpoint, by: str) -> str:
    if by == "path":
        return "stored as a legacy .h5, whose weights the loader of .weights.h5 does not find; rename it to .h5"
    return "stored as .weights.h5, in which the loader of legacy .h5 finds no layers; rename it to .weights.h5"


def _unread(checkpoint: Checkpoint) -> Iterator[Refusal]:
    """The refusals of parts of the file that a loader would have to read."""
    return (refusal for refusal in checkpoint.refusals if refusal.kind in _UNREAD)


def _leftovers(pairing: Pairing) -> Iterator[Finding]:
    """The findings on slots and weights without a partner; a slot with the path of a weight that might fill it."""
    free = dict[tuple[int, ...], list[Weight]]()
    for weight, _ in pairing.unexpected:
        free.setdefault(weight.shape, []).append(weight)
    for slot, why in pairing.missing:
        yield Finding(Status.MISSING, slot, None, why, _same_shape(slot, free), accepted=why == graph_state.LATE)
    for weight, why in pairing.unexpected:
        state = _GENERATOR_STATE in weight.path
        why = "the state of a random generator, which Keras does not load" if state else why
        yield Finding(Status.UNEXPECTED, None, weight, why, accepted=state)


def _same_shape(slot: SpecSlot, free: Mapping[tuple[int, ...], list[Weight]]) -> str:
    """A hint to the weight without a slot that has the shape of this slot; empty unless exactly one has it."""
    if slot.shape is None or None in slot.shape:
        return ""
    weights = free.get(slot.shape, [])  # type: ignore[arg-type]
    return f"the same shape is stored as {weights[0].path}" if len(weights) == 1 else ""


def _mismatches(pairing: Pairing, allowed: Allowed) -> Iterator[Finding]:
    for slot, weight in pairing.pairs:
        if not shapes_fit(slot.shape, weight.shape):
            remedy = _other_layout(slot, weight)
            yield Finding(Status.SHAPE, slot, weight, f"expected {slot.shape}, stored {weight.shape}", remedy)
        if slot.dtype and slot.dtype != weight.dtype:
            harmless = dtypes.castable(weight.dtype, slot.dtype) and not allowed.strict_dtypes
            why = f"expected {slot.dtype}, stored {weight.dtype}, which Keras converts"
            yield Finding(Status.DTYPE, slot, weight, why, accepted=harmless)


_OF_CUDNN = (("lstm_cell/bias", 1, 2), ("gru_cell/bias", 2, 1))  # axes, and how many times as many numbers with cuDNN


def _other_layout(slot: SpecSlot, weight: Weight) -> str:
    """A hint why a stored weight has another shape than its slot; empty where none is known."""
    if len(weight.shape) > 1 and shapes_fit(slot.shape, weight.shape[::-1]):
        return "the stored one is transposed"
    for name, axes, times in _OF_CUDNN:
        if slot.name.endswith(name) and slot.shape is not None and len(slot.shape) == axes and None not in slot.shape:
            sizes = [size for size in slot.shape if size is not None]
            if weight.shape == (times * math.prod(sizes),):
                return "weights of a layer for cuDNN; ckpttool convert --arch lays them out for this one"
    return ""


def _crossed(checkpoint: Checkpoint, pairing: Pairing, loader: str, names: Namer) -> Iterator[Finding]:
    """The findings on pairs whose stored names say that the weight belongs to another slot."""
    owner, layers = attrgetter("layer" if loader == "path" else "group"), dict[str, str]()
    if loader != "name":
        layers = evidence.swapped_layers(pairing.pairs, owner, *_stored_names(checkpoint, loader, names))
    inside = evidence.swapped_weights(pairing.pairs, owner)
    remedy = "order the layers as in the file" + (", or load by name" if loader == "order" else "")
    for slot, weight in pairing.pairs:
        other = layers.get(owner(slot))
        if other is not None:
            yield Finding(Status.ORDER, slot, weight, f"would get the weights that the file stores for {other}", remedy)
        elif slot in inside:
            yield Finding(Status.ORDER, slot, weight, f"would get what the file stores as {inside[slot]}")


def _stored_names(checkpoint: Checkpoint, loader: str, names: Namer) -> tuple[Callable[[Weight], str | None], set[str]]:
    """A function that gives the layer's name in the file for a weight, and all these names."""

    def layer_of(weight: Weight) -> str | None:
        if loader == "path" and weight.layer is None:
            name = names.name(weight)
            return name.layer if name.class_name is not None else None
        return weight.layer

    weights = checkpoint.section(Section.MODEL)
    return layer_of, {name for weight in weights if (name := layer_of(weight)) is not None}


def _with_skips(findings: list[Finding], pairing: Pairing) -> Iterator[Finding]:
    """The findings, those that Keras skips accepted, and one for each fitting pair that is skipped with others."""
    for finding in findings:
        reason = pairing.skipped.get(id(finding.slot or finding.weight))
        if reason is None:
            yield finding
        elif finding.status is Status.SHAPE:
            yield replace(finding, why=f"{finding.why}; {reason}", accepted=True)
        elif finding.status in (Status.MISSING, Status.UNEXPECTED):
            yield replace(finding, why=reason, accepted=True)
    for slot, weight in pairing.pairs:
        if id(slot) in pairing.skipped and shapes_fit(slot.shape, weight.shape):
            yield Finding(Status.SKIPPED, slot, weight, pairing.skipped[id(slot)], accepted=True)


def _values(pairing: Pairing, progress: Callable[[int], None]) -> Iterator[Finding]:
    """The findings on weights that contain NaN or Inf, or cannot be read."""
    for slot, weight in pairing.pairs:
        if id(slot) in pairing.skipped:
            continue
        try:
            stats = measure(weight, stats=True, progress=progress).stats
        except CheckpointError as error:
            yield Finding(Status.VALUE, slot, weight, f"cannot be read: {error.what}")
            continue
        if stats is not None and (stats.nan or stats.inf):
            yield Finding(Status.VALUE, slot, weight, f"{stats.nan:,} NaN and {stats.inf:,} Inf of {weight.size:,}")


def _outcome_in_keras(
    pairing: Pairing, problems: list[str], findings: list[Finding], lost: list[str], loader: str
) -> str:
    if problems or pairing.raises or loader == "graph":
        return "raises"
    return "loads wrongly" if lost or any(not finding.accepted for finding in findings) else "loads"


def _matched(pairing: Pairing, findings: list[Finding]) -> tuple[tuple[SpecSlot, Weight], ...]:
    """The pairs without a problem, which Keras loads."""
    wrong = {id(finding.slot) for finding in findings if not finding.accepted} | pairing.skipped.keys()
    return tuple((slot, weight) for slot, weight in pairing.pairs if id(slot) not in wrong)


def _accepted(finding: Finding, allowed: Allowed) -> Finding:
    """The finding, accepted where the user allows it."""
    globs = {Status.MISSING: allowed.missing, Status.UNEXPECTED: allowed.unexpected}.get(finding.status, ())
    slot, weight = finding.slot, finding.weight
    place = slot.path if slot else weight.path if weight else ""
    layer = slot.layer if slot else (weight.layer or "") if weight else ""
    return replace(finding, accepted=finding.accepted or _matches(place, layer, (*globs,), finding.label))


def _matches(path: str, layer: str, globs: tuple[str, ...], label: str = "") -> bool:
    return any(fnmatch.fnmatchcase(name, glob) for glob in globs for name in (path, layer, label) if name)
