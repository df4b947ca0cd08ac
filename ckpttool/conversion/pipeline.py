"""Converting: planned first, then written beside its place, read back and compared, and only then put there."""

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TypeGuard

from ckpttool.alignment.architectures import load_architecture
from ckpttool.alignment.object_parts import checkpoint_of
from ckpttool.checkpoint import Checkpoint, Section, Weight
from ckpttool.conversion.config import lambdas
from ckpttool.conversion.journal import Journal
from ckpttool.conversion.loadability import check_loads, refuse_unbuildable, refuse_unbuilt
from ckpttool.conversion.options import PLAIN, Options
from ckpttool.conversion.payload import Prepared
from ckpttool.conversion.preparation import prepare
from ckpttool.conversion.prove import keras_run
from ckpttool.conversion.prove.keras_run import Prediction, Proof, predict
from ckpttool.conversion.prove.permission import hindrance, hindrance_of_old
from ckpttool.conversion.result import Conversion, Transform
from ckpttool.conversion.targets import (
    DEFAULT_SHARD,
    FORMS,
    check_entries,
    check_parts,
    check_target,
    differs,
    form_of,
    scratch_for,
    write,
)
from ckpttool.errors import ConversionError, CorruptFileError, NoKerasError, ProofError
from ckpttool.formats import open_checkpoint
from ckpttool.formats.write.archive import DIRECTORY
from ckpttool.formats.write.block_copy import Progress, silent
from ckpttool.formats.write.path_layout import sharded
from ckpttool.model import Architecture
from ckpttool.model.live.user_function import architecture_of_function, names_function


def plan(
    source: str | os.PathLike[str],
    target: str | os.PathLike[str],
    arch: Architecture | str | os.PathLike[str] | None = None,
    to: str | None = None,
    source_backend: str | None = None,
    options: Options = PLAIN,
) -> Conversion:
    """What converting `source` would do; nothing is written. The arguments are those of `convert`.

    What stands in the way is in the plan's `refusals`. Raises CheckpointError where no plan can be made.
    """
    with _planned(source, target, arch, to, source_backend, options) as (conversion, _, _):
        return conversion


def convert(
    source: str | os.PathLike[str],
    target: str | os.PathLike[str],
    *,
    arch: Architecture | str | os.PathLike[str] | None = None,
    to: str | None = None,
    force: bool = False,
    source_backend: str | None = None,
    options: Options = PLAIN,
    max_shard_bytes: float = DEFAULT_SHARD,
    prove: bool | None = False,
    on_progress: Progress = silent,
) -> Conversion:
    """Brings a checkpoint into Keras 3, or into another form of it; what was done comes back, proved.

    `arch` is the model, for weights only: an architecture, or a file with one. It may also be the architecture of a
    live model, or "package.module:function", which is called in a process of its own and returns one: what that tells
    counts then, for a whole model too. `to` is a key of `FORMS`, by default the one that the target's name stands for.
    `source_backend` is "theano" or "tensorflow", where a file of Keras 0 or 1 does not tell. `max_shard_bytes` limits
    the shards of a `.weights.json`. `prove` has Keras, in a process of its own, load the new model and predict, and
    tf_keras the old one where that is installed; None does so where Keras is installed, the weights are at most 32 MiB,
    and the model needs nothing of the user's own. `on_progress` is told the bytes that were written and those that were
    read back. What stands at the target stays unless `force`.

    The file is written beside its place, read back, every weight compared with its source and every slot of the config
    found filled, before it takes its place; where anything fails, nothing is left behind. Raises ConversionError where
    something has no exact form in Keras 3, all of it at once, and CheckpointError for what cannot be read or written.
    """
    check_target(source, target, force)
    with _planned(source, target, arch, to, source_backend, options) as (conversion, prepared, checkpoint):
        if conversion.refusals:
            raise ConversionError(
                "cannot be converted exactly", conversion.refusals, path=os.fspath(source), found="what is listed below"
            )
        if prove and not FORMS[conversion.form].whole:
            raise ConversionError("only a whole model can be run", path=os.fspath(target), expected="a .keras")
        why = _obstacle(conversion, prepared, checkpoint, options, prove)
        runs = prove is not False and FORMS[conversion.form].whole and not why
        names = _names(conversion, prepared, max_shard_bytes)
        folder = Path(target) if conversion.form == "keras-dir" else Path(target).absolute().parent
        check_entries(source, folder, names, force)
        check_parts(checkpoint, (target, *(folder / name for name in names)))
        proof = _proof(conversion, arch, bool(prove), hindrance_of_old(checkpoint)) if runs else None
        prediction = _write(conversion, prepared, names, max_shard_bytes, proof, on_progress)
    if runs and prediction is None:
        why = "Keras could not be run here"
    return replace(conversion, proved=True, prediction=prediction, unpredicted=why)


def _proof(
    conversion: Conversion, arch: Architecture | str | os.PathLike[str] | None, asked: bool, unloaded: str
) -> Proof:
    return Proof(_modules(conversion), arch if _is_function(arch) else "", asked, unloaded)


def _obstacle(
    conversion: Conversion, prepared: Prepared, checkpoint: Checkpoint, options: Options, prove: bool | None
) -> str:
    """Why Keras does not run the converted model. Raises ProofError where it should not although that is asked for.

    Nothing speaks against a live model of the user's own.
    """
    if prove is False or not FORMS[conversion.form].whole:
        return ""
    unasked = _unpredicted(conversion) if prove is None else ""
    why = unasked
    if prepared.live is None and not why:
        why = hindrance(checkpoint, prepared.payload.model.config, options.functions.values())
    if prove and why:
        raise ProofError("Keras is not run on it", path=str(conversion.source), found=why)
    return why


def _unpredicted(conversion: Conversion) -> str:
    """Why Keras does not run a converted model without being asked to; empty where it does."""
    if any(not one.module for one in conversion.needs):
        return "it needs what is listed above"
    if conversion.nbytes > keras_run.SMALL:
        return f"its weights are more than {keras_run.SMALL >> 20} MiB; --prove runs it"
    return "" if keras_run.is_installed() else "Keras is not installed beside ckpttool"


@contextmanager
def _planned(
    source: str | os.PathLike[str],
    target: str | os.PathLike[str],
    arch: Architecture | str | os.PathLike[str] | None,
    to: str | None,
    source_backend: str | None,
    options: Options,
) -> Iterator[tuple[Conversion, Prepared, Checkpoint]]:
    """The plan, and what it writes, which reads from the source as long as the block lasts."""
    form, journal = form_of(target, to), Journal()
    architecture = _architecture(arch)
    with open_checkpoint(source) as opened:
        opened.require_one_view()
        checkpoint = _told(checkpoint_of(opened, options.part) if options.part else opened, source_backend)
        prepared = prepare(checkpoint, architecture, form, options, journal)
        lambdas.check(options.functions, journal.lambdas)
        if FORMS[form].whole and not journal.refusals:
            refuse_unbuildable(prepared.payload.model.config, journal)
        if FORMS[form].whole and prepared.placed and prepared.today and not journal.refusals:
            refuse_unbuilt(prepared.today, journal)
        weights = prepared.written.values()
        transforms = tuple(
            Transform(one.place.label, one.stored, one.changes) for one in prepared.placed if one.changes
        )
        yield (
            Conversion(
                source=Path(source),
                target=Path(target),
                kind=checkpoint.kind,
                form=form,
                model=prepared.model,
                writer=prepared.writer,
                edits=tuple(journal.edits),
                guesses=tuple(journal.guesses),
                losses=tuple(journal.losses),
                needs=tuple(dict.fromkeys(journal.needs)),
                refusals=tuple(journal.refusals),
                transforms=transforms,
                renamed=prepared.renamed,
                copied=len(weights) - len(transforms),
                parameters=sum(weight.size for weight in weights),
                nbytes=sum(weight.nbytes for weight in weights),
            ),
            prepared,
            checkpoint,
        )


def _architecture(arch: Architecture | str | os.PathLike[str] | None) -> Architecture | None:
    if arch is None or isinstance(arch, Architecture):
        return arch
    return architecture_of_function(arch) if _is_function(arch) else load_architecture(arch)


def _is_function(arch: Architecture | str | os.PathLike[str] | None) -> TypeGuard[str]:
    return isinstance(arch, str) and names_function(arch)


def _told(checkpoint: Checkpoint, source_backend: str | None) -> Checkpoint:
    """The checkpoint with the backend that the user says it is of."""
    if source_backend is None:
        return checkpoint
    return replace(checkpoint, producer=replace(checkpoint.producer, backend=source_backend))


def _names(conversion: Conversion, prepared: Prepared, max_shard: float) -> tuple[str, ...]:
    """The files that are written together, the index of shards among them; none where there is but one."""
    name = conversion.target.name
    if conversion.form == "sharded":
        return (name, *sharded(name, prepared.payload.model.content, max_shard).shards)
    return DIRECTORY if conversion.form == "keras-dir" else ()


def _write(
    conversion: Conversion,
    prepared: Prepared,
    names: tuple[str, ...],
    max_shard: float,
    proof: Proof | None,
    on_progress: Progress,
) -> Prediction | None:
    """Writes the target, once what was written is proved."""
    form, target = conversion.form, conversion.target
    with scratch_for(form, target, names) as scratch:
        place = scratch / target.name if form == "sharded" else scratch
        write(form, place, prepared.payload, max_shard, on_progress)
        _prove(place, prepared, on_progress)
        return _run(place, conversion.source, proof) if proof else None


def _run(target: Path, source: Path, proof: Proof) -> Prediction | None:
    """What Keras makes of the target; None where Keras cannot be run, and nobody asked for it."""
    try:
        return predict(target, source, proof)
    except NoKerasError:
        if proof.asked:
            raise
        return None


def _modules(conversion: Conversion) -> tuple[str, ...]:
    """What the converted model needs that is ckpttool's own."""
    return tuple(one.module for one in conversion.needs if one.module)


def _prove(path: Path, prepared: Prepared, on_progress: Progress) -> None:
    """Reads back what was written: every weight is bit for bit what it should be, and Keras 3 would load all of them.
    Raises CorruptFileError."""
    with open_checkpoint(path) as written:
        stored = {
            weight.path: weight
            for weight in written.values()
            if weight.section is not Section.OTHER or weight.path in prepared.written
        }
        _compare(stored, prepared.written, on_progress)
        check_loads(written, prepared.live)


def _compare(stored: Mapping[str, Weight], wanted: Mapping[str, Weight], on_progress: Progress) -> None:
    odd = sorted(stored.keys() ^ wanted.keys())
    if odd:
        raise CorruptFileError("the converted file lacks weights, or has others", where=", ".join(odd[:5]))
    for path, weight in wanted.items():
        problem = differs(stored[path], weight, on_progress)
        if problem:
            raise CorruptFileError("a weight of the converted file is not its source's", where=path, found=problem)
