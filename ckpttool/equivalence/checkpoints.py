"""The diff of two checkpoints, in the form of Keras 3 where different generations of Keras wrote them.

`comparison` compares checkpoints as written; `conversion` knows which forms have the same meaning. Both sides are
brought into the form that `convert` would write, in memory, and compared in it; changes by the conversion are no
difference. Two checkpoints of Keras 3 are compared as written, and `conversion` is not even imported.
"""

import os
from contextlib import ExitStack
from dataclasses import replace

from ckpttool.alignment.architectures import ARCHITECTURE, open_model
from ckpttool.checkpoint import Checkpoint
from ckpttool.comparison import Diff, Scope
from ckpttool.comparison import diff as as_written
from ckpttool.comparison.assets import asset_changes
from ckpttool.comparison.checkpoints import Progress, no_progress
from ckpttool.equivalence.holders import without_holders
from ckpttool.model import Architecture, architecture_of
from ckpttool.model.generations.generation import Generation, generation_of

EVERYTHING = Scope()
_BY_FORM = frozenset({"config", "structure"})
"""The parts that may differ in form alone, with the same meaning, between two checkpoints of one generation."""


def diff(
    a: Checkpoint | str | os.PathLike[str],
    b: Checkpoint | str | os.PathLike[str],
    scope: Scope = EVERYTHING,
    progress: Progress = no_progress,
) -> Diff:
    """The changes from checkpoint `a` to checkpoint `b`, of any formats and any generations of Keras.

    An architecture in JSON or YAML may take the place of a checkpoint: then configs alone are compared.

    A change that `convert` makes to bring a checkpoint into Keras 3 does not count, unless the scope is `exact`; the
    result has it in `restated`. `progress` is called with the number of bytes that were compared, of both sides. Raises
    CheckpointError where one of the two cannot be opened; a weight that cannot be read is among the `unreadable` of the
    result.
    """
    with ExitStack() as stack:
        one, other = (
            side if isinstance(side, Checkpoint) else stack.enter_context(open_model(side)) for side in (a, b)
        )
        return _diff(one, other, scope, progress)


def _diff(a: Checkpoint, b: Checkpoint, scope: Scope, progress: Progress) -> Diff:
    for side in (a, b):
        side.require_one_view()
    if ARCHITECTURE in (a.kind, b.kind):
        return _of_architectures(a, b, scope)
    unchanged = scope.exact or all(map(_is_of_keras_3, (a, b)))
    result = as_written(a, b, scope, progress) if unchanged else _in_one_form(a, b, scope, progress)
    return result if scope.match else replace(result, assets=asset_changes(a, b))


def _of_architectures(a: Checkpoint, b: Checkpoint, scope: Scope) -> Diff:
    """The diff of two configs, by their meaning: one has neither weights nor compile settings beside it."""
    one, other = (replace(side, weights={}, training_config=None) for side in (a, b))
    result = as_written(one, other, scope)
    notes = (*result.notes, "only the configs of the models are compared: an architecture stores nothing else")
    return replace(result, state=None, notes=notes)


def _in_one_form(a: Checkpoint, b: Checkpoint, scope: Scope, progress: Progress) -> Diff:
    """The diff of two checkpoints of any generations, without models that do no more than contain another model."""
    one, other, unwrapped = without_holders(a, b)
    result = _by_generation(one, other, scope, progress)
    return replace(result, restated=(*unwrapped, *result.restated))


def _is_of_keras_3(checkpoint: Checkpoint) -> bool:
    """Whether a checkpoint states that Keras 3 wrote it; asked first, since it needs no look at the config."""
    version = checkpoint.producer.keras_version
    return version is not None and generation_of(None, version) is Generation.KERAS_3


def _by_generation(a: Checkpoint, b: Checkpoint, scope: Scope, progress: Progress) -> Diff:
    """The diff of two checkpoints: as written where one generation wrote both and only values differ, else restated."""
    own = architecture_of(a), architecture_of(b)
    architectures = own[0] or scope.architecture or own[1], own[1] or scope.architecture or own[0]
    generations = _generation(a, own[0], architectures[0]), _generation(b, own[1], architectures[1])

    def restated(progress: Progress) -> Diff:
        from ckpttool.equivalence.comparison import Source, restated_diff  # not needed for what Keras 3 wrote

        one, other = map(Source, (a, b), architectures, generations)
        return restated_diff(one, other, scope, progress)

    if generations[0] is not generations[1]:
        return _explained(restated(progress), own, generations)
    plain = as_written(a, b, scope, progress)
    if generations[0] is Generation.KERAS_3 or not plain.differences & _BY_FORM:
        return _explained(plain, own, generations)
    other = restated(no_progress)  # the bytes were reported by the first comparison
    return plain if other.differences else other


def _explained(
    plain: Diff, own: tuple[Architecture | None, Architecture | None], generations: tuple[Generation, Generation]
) -> Diff:
    if None not in own or not plain.differences:
        return plain
    from ckpttool.equivalence.guesses import explained  # not needed where both configs are known

    return explained(plain, own, generations)


def _generation(checkpoint: Checkpoint, own: Architecture | None, other: Architecture | None) -> Generation:
    """The generation of Keras whose form a checkpoint has, by its own config, else by the version that wrote it.

    Weights alone in the path layout have the form of Keras 3 where their objects have names, as Keras writes them from
    3.6 on; else the form of the architecture that they are read with.
    """
    version = checkpoint.producer.keras_version
    if own is not None:
        return generation_of(own.config, version)
    if checkpoint.format.has_paths:
        if other is None or checkpoint.object_names:
            return Generation.KERAS_3
        return generation_of(other.config)
    if checkpoint.format.is_of_keras_0:
        return Generation.KERAS_0
    return generation_of(None, version) if version else Generation.KERAS_1
