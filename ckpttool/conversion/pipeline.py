"""The steps of a conversion: it is planned, written beside its target, read back and compared, and then moved there."""

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, nullcontext
from dataclasses import replace
from pathlib import Path

from ckpttool.alignment.architectures import load_architecture
from ckpttool.alignment.object_parts import checkpoint_of, part_names
from ckpttool.checkpoint import Checkpoint, Section, Weight
from ckpttool.conversion.config import graph_vocabularies, lambdas
from ckpttool.conversion.journal import Journal, Remark
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
from ckpttool.errors import CheckpointError, ConfigError, ConversionError, CorruptFileError, NoKerasError, ProofError
from ckpttool.escape import printable
from ckpttool.formats import open_checkpoint
from ckpttool.formats.write.archive import DIRECTORY
from ckpttool.formats.write.block_copy import Progress, silent
from ckpttool.formats.write.path_layout import sharded
from ckpttool.io.texts import is_text_file, names_function
from ckpttool.model import Architecture
from ckpttool.model.checkpoint_architecture import share_architecture
from ckpttool.model.live.user_function import architecture_of_function


def plan(
    source: str | os.PathLike[str] | Checkpoint,
    target: str | os.PathLike[str],
    arch: Architecture | str | os.PathLike[str] | None = None,
    to: str | None = None,
    source_backend: str | None = None,
    options: Options = PLAIN,
) -> Conversion:
    """The plan of converting `source`, which may be an open checkpoint; nothing is written. The other arguments are
    those of `convert`.

    The plan's `refusals` are the reasons why it cannot be converted. Raises CheckpointError where there can be no plan.
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
    """Convert a checkpoint to Keras 3, or to another form of Keras 3. Returns the edits that were made, proved.

    `arch` is the model, for files with weights only: an architecture, or a file with one. It may also be the
    architecture of a live model, or "package.module:function", which is called in a process of its own and returns one;
    this counts for a whole model, too. `to` is a key of `FORMS`; the default is the form of the target's suffix.
    `source_backend` is "theano" or "tensorflow", for files of Keras 0 or 1 that do not say it. `max_shard_bytes` limits
    the shards of a `.weights.json`. With `prove`, Keras in a process of its own loads the new model and predicts, and
    so does tf_keras with the old one, where that is installed; None does so only if Keras is installed, the weights are
    at most 32 MiB, and the model needs nothing of the user's own. `on_progress` is called with numbers of bytes that
    were written or read back. A file at the target is replaced only with `force`.

    The file is written beside the target and read back; every weight is compared with its source, and every slot of the
    config has to be filled. Only then it is moved to the target; if anything fails, nothing is left behind. Raises
    ConversionError with all parts that have no exact equivalent in Keras 3, and CheckpointError for files that cannot
    be read or written.
    """
    check_target(source, target, force)
    with _planned(source, target, arch, to, source_backend, options) as (conversion, prepared, checkpoint):
        if conversion.refusals:
            raise _not_exact(conversion, _parts_hint(checkpoint))
        if prove and not FORMS[conversion.form].whole:
            raise ConversionError("only a whole model can be run", path=os.fspath(target), expected="a .keras")
        why = _obstacle(conversion, prepared, checkpoint, options, prove)
        runs = prove is not False and FORMS[conversion.form].whole and not why
        names = _names(conversion, prepared, max_shard_bytes)
        folder = Path(target) if FORMS[conversion.form].is_directory else Path(target).absolute().parent
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
    return Proof(_modules(conversion), arch if names_function(arch) else "", asked, unloaded)


def _obstacle(
    conversion: Conversion, prepared: Prepared, checkpoint: Checkpoint, options: Options, prove: bool | None
) -> str:
    """The reason why Keras does not run the converted model, empty where it does. Raises ProofError where the user asks
    for it and it must not.

    A live model of the user's own may always run.
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
    """The reason why Keras does not run a converted model unless the user asks for it; empty where it does."""
    if any(not need.module for need in conversion.needs):
        return "it needs what is listed above"
    if conversion.nbytes > keras_run.SMALL:
        return f"its weights are more than {keras_run.SMALL >> 20} MiB; --prove runs it"
    return "" if keras_run.is_installed() else "Keras is not installed beside ckpttool"


def _not_exact(conversion: Conversion, hint: str) -> ConversionError:
    """The error for a source that has no exact form, with all reasons."""
    path = os.fspath(conversion.source)
    problem, reasons = "cannot be converted exactly", "the reasons below"
    return ConversionError(problem, conversion.refusals, path=path, found=reasons, hint=hint)


def _parts_hint(checkpoint: Checkpoint) -> str:
    """The names of the models that `tf.train.Checkpoint` saved together, and the option that chooses one."""
    names = [printable(name, 100) for name in part_names(checkpoint)]
    choice = names[0] if len(names) == 1 else "NAME"
    return f"it holds {', '.join(names)}: choose the model with --part {choice}" if names else ""


_MISSING = frozenset({"missing", "pointer"})


def _refusals(source: Checkpoint, journal: Journal) -> tuple[Remark, ...]:
    """The reasons against a conversion: first the parts of the source that are missing, as others follow from them."""
    missing = [Remark(part.place, part.detail) for part in source.refusals if part.kind in _MISSING]
    return (*missing, *journal.refusals) if journal.refusals else ()


def _place(source: str | os.PathLike[str] | Checkpoint) -> Path:
    """The path of a source as the user named it, or that of a checkpoint that is open."""
    return source.path if isinstance(source, Checkpoint) else Path(source)


@contextmanager
def _planned(
    source: str | os.PathLike[str] | Checkpoint,
    target: str | os.PathLike[str],
    arch: Architecture | str | os.PathLike[str] | None,
    to: str | None,
    source_backend: str | None,
    options: Options,
) -> Iterator[tuple[Conversion, Prepared, Checkpoint]]:
    """The plan, its payload and the open checkpoint, from which the payload reads within this context."""
    form, journal, architecture = form_of(target, to), Journal(), _architecture(arch)
    with nullcontext(source) if isinstance(source, Checkpoint) else open_checkpoint(source) as opened:
        opened.require_one_view()
        checkpoint = _with_backend(checkpoint_of(opened, options.part) if options.part else opened, source_backend)
        try:
            architecture = _with_vocabularies(architecture, arch, checkpoint, journal)
            prepared = prepare(checkpoint, architecture, form, options, journal)
        except CheckpointError as error:
            place = arch if isinstance(error, ConfigError) and isinstance(arch, str | os.PathLike) else _place(source)
            raise error.at(path=os.fspath(place)) from error.__cause__
        lambdas.check(options.functions, journal.lambdas)
        if FORMS[form].whole and not journal.refusals:
            refuse_unbuildable(prepared.payload.model.config, journal)
        if FORMS[form].whole and prepared.placed and prepared.target and not journal.refusals:
            refuse_unbuilt(prepared.target, journal)
        weights = prepared.written.values()
        transforms = tuple(
            Transform(weight.place.label, weight.stored, weight.changes) for weight in prepared.placed if weight.changes
        )
        yield (
            Conversion(
                source=_place(source),
                target=Path(target),
                kind=checkpoint.kind,
                form=form,
                model=prepared.model,
                writer=prepared.writer,
                edits=tuple(journal.edits),
                guesses=tuple(journal.guesses),
                losses=tuple(journal.losses),
                needs=tuple(dict.fromkeys(journal.needs)),
                refusals=_refusals(opened, journal),
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
    return architecture_of_function(arch) if names_function(arch) else load_architecture(arch)


def _with_vocabularies(
    architecture: Architecture | None,
    arch: Architecture | str | os.PathLike[str] | None,
    source: Checkpoint,
    journal: Journal,
) -> Architecture | None:
    """The architecture with the vocabularies of its file, as those in a SavedModel are in no config."""
    if architecture is None or not isinstance(arch, str | os.PathLike) or names_function(arch) or is_text_file(arch):
        return architecture
    if not graph_vocabularies.lacks_vocabulary(architecture):
        return architecture
    with open_checkpoint(arch) as holder:
        return graph_vocabularies.with_own_vocabularies(architecture, holder, source, journal)


def _with_backend(checkpoint: Checkpoint, source_backend: str | None) -> Checkpoint:
    """The checkpoint with the backend that the user names."""
    if source_backend is None:
        return checkpoint
    return replace(checkpoint, producer=replace(checkpoint.producer, backend=source_backend))


def _names(conversion: Conversion, prepared: Prepared, max_shard: float) -> tuple[str, ...]:
    """The names of the files that are written together, with the index of shards; none where there is only one file."""
    name = conversion.target.name
    if FORMS[conversion.form].is_sharded:
        return (name, *sharded(name, prepared.payload.model.content, max_shard).shards)
    return DIRECTORY if FORMS[conversion.form].is_directory else ()


def _write(
    conversion: Conversion,
    prepared: Prepared,
    names: tuple[str, ...],
    max_shard: float,
    proof: Proof | None,
    on_progress: Progress,
) -> Prediction | None:
    """Write the target: it replaces an older one only after it is proved."""
    form, target = conversion.form, conversion.target
    with scratch_for(form, target, names) as scratch:
        place = scratch / target.name if FORMS[form].is_sharded else scratch
        write(form, place, prepared.payload, max_shard, on_progress)
        _prove(place, prepared, on_progress)
        return _run(place, conversion.source, proof) if proof else None


def _run(target: Path, source: Path, proof: Proof) -> Prediction | None:
    """The prediction of Keras with the target; None where Keras cannot be run and the user did not ask for it."""
    try:
        return predict(target, source, proof)
    except NoKerasError:
        if proof.asked:
            raise
        return None


def _modules(conversion: Conversion) -> tuple[str, ...]:
    """The modules of ckpttool that the converted model needs."""
    return tuple(need.module for need in conversion.needs if need.module)


def _prove(path: Path, prepared: Prepared, on_progress: Progress) -> None:
    """Read the file back: every weight has to be bit for bit as planned, and Keras 3 has to load all of them. Raises
    CorruptFileError.

    Its config is compared with that of the plan, value by value. Where they are the same, the slots are those that the
    plan knows, and only their weights are looked for anew; else they are worked out of the config in the file.
    """
    with open_checkpoint(path) as written:
        stored = {
            weight.path: weight
            for weight in written.values()
            if weight.section is not Section.OTHER or weight.path in prepared.written
        }
        _compare(stored, prepared.written, on_progress)
        share_architecture(prepared.target, written)
        check_loads(written, prepared.live)


def _compare(stored: Mapping[str, Weight], wanted: Mapping[str, Weight], on_progress: Progress) -> None:
    odd = sorted(stored.keys() ^ wanted.keys())
    if odd:
        raise CorruptFileError("the converted file has other weights than planned", where=", ".join(odd[:5]))
    for path, weight in wanted.items():
        problem = differs(stored[path], weight, on_progress)
        if problem:
            raise CorruptFileError("a weight of the converted file differs from its source", where=path, found=problem)
