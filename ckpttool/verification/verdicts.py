"""The verdict on a checkpoint: weights and slots are paired as Keras does it, and each pair is judged."""

import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import nullcontext
from dataclasses import replace
from itertools import chain
from types import MappingProxyType

from ckpttool.alignment.alignment import align
from ckpttool.checkpoint import Checkpoint, Refusal, Weight
from ckpttool.formats import open_checkpoint
from ckpttool.model import Architecture
from ckpttool.model.spec import Spec, SpecSlot
from ckpttool.verification import (
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
from ckpttool.verification.findings import NOTHING, Allowed, accepted, bad_values, findings_on, matches
from ckpttool.verification.loader_choice import chosen_loader, wrong_layout
from ckpttool.verification.pairs import Pairing
from ckpttool.verification.result import VerifyResult, WeightProblem
from ckpttool.verification.state_shapes import with_stored_shapes

LOADERS: Mapping[str, Callable[..., Pairing]] = MappingProxyType(
    {"path": loaders.by_path, "order": loaders.by_order, "name": loaders.by_name}
)
"""The loaders of Keras, by the way in which they pair weights with slots."""

_UNREAD = frozenset({"corrupt", "missing", "pointer", "link", "repeat", "external", "virtual"})


def verify(
    checkpoint: Checkpoint | str | os.PathLike[str],
    architecture: Spec | Architecture | Checkpoint | str | os.PathLike[str],
    by: str = "auto",
    allowed: Allowed = NOTHING,
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
    loader, because, problems = chosen_loader(checkpoint, by, expected)
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
    findings = findings_on(checkpoint, pairing, loader, allowed)
    skips_all = skip_mismatch and by_path and problems == [wrong_layout(checkpoint, loader)]
    lost = list(vocabularies.missing(spec, checkpoint))  # Keras loads the model and raises when it is called
    keras = "loads wrongly" if skips_all else _outcome_in_keras(pairing, problems, findings, lost, loader)
    problems += _parallel(checkpoint, expected, pairing, loader)
    if allowed.optimizer and (inner := inner_state.reason_for_skipped_state(expected.architecture, spec, checkpoint)):
        problems.append(f"Keras begins with a new state of an optimizer: {inner}")
    if pairing.raises and not findings:  # Keras raises although every weight fits
        problems.append(pairing.raises[0])
    if values:
        findings += bad_values(pairing, progress)
    opaque = spec.opaque if by_path else loaders.opaque_in_order(spec)
    return VerifyResult(
        checkpoint=checkpoint.path,
        kind=checkpoint.kind,
        architecture=expected.title,
        loader=loader,
        because=because,
        keras=keras,
        findings=tuple(accepted(finding, allowed) for finding in findings),
        matched=_matched(pairing, findings),
        unchecked=tuple(w for w in pairing.unchecked if not matches(w.path, w.layer or "", allowed.unexpected)),
        opaque=tuple(o for o in opaque if not matches(o.path, o.layer, allowed.unexpected)),
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


def _skipped(spec: Spec, pairing: Pairing) -> Iterator[SpecSlot]:
    """The slots that Keras skips; those of an older Keras are recognized by their places in a legacy file."""
    ours = chain((slot for slot, _ in (*pairing.pairs, *pairing.missing)), *(slot for slot, *_ in pairing.miscounted))
    places = {(slot.group, slot.index) for slot in ours if id(slot) in pairing.skipped and slot.group and not slot.path}
    slots = (*spec.slots, *spec.optimizer)
    return (slot for slot in slots if id(slot) in pairing.skipped or (slot.group, slot.index) in places)


def _unread(checkpoint: Checkpoint) -> Iterator[Refusal]:
    """The refusals of parts of the file that a loader would have to read."""
    return (refusal for refusal in checkpoint.refusals if refusal.kind in _UNREAD)


def _outcome_in_keras(
    pairing: Pairing, problems: list[str], findings: list[WeightProblem], lost: list[str], loader: str
) -> str:
    if problems or pairing.raises or loader == "graph":
        return "raises"
    return "loads wrongly" if lost or any(not finding.accepted for finding in findings) else "loads"


def _matched(pairing: Pairing, findings: list[WeightProblem]) -> tuple[tuple[SpecSlot, Weight], ...]:
    """The pairs without a problem, which Keras loads."""
    wrong = {id(finding.slot) for finding in findings if not finding.accepted} | pairing.skipped.keys()
    return tuple((slot, weight) for slot, weight in pairing.pairs if id(slot) not in wrong)
