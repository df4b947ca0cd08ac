"""The diff of two checkpoints, in the words of Keras 3 where they are not of one generation.

`comparing` knows what is written, `conversion` which other writing means the same. Both sides are brought into one
form, as `convert` would write them but in memory, and compared there; what the conversion changed is no difference. Two
checkpoints of Keras 3 are compared as they are, without any of `conversion`.
"""

import os
from dataclasses import replace

from ckpttool.checkpoint import Checkpoint
from ckpttool.comparison import Diff, Scope
from ckpttool.comparison import diff as as_written
from ckpttool.comparison.assets import asset_changes
from ckpttool.comparison.checkpoints import Progress, ignored
from ckpttool.equivalence.holders import without_holders
from ckpttool.formats import open_checkpoint
from ckpttool.formats.weights_h5 import PATH_KINDS
from ckpttool.model import Architecture, architecture_of
from ckpttool.model.generations.generation import Generation, generation_of

EVERYTHING = Scope()
_BY_WORDS = frozenset({"config", "structure"})
"""What may differ between two checkpoints of one generation and mean the same all the same."""


def diff(
    a: Checkpoint | str | os.PathLike[str],
    b: Checkpoint | str | os.PathLike[str],
    scope: Scope = EVERYTHING,
    progress: Progress = ignored,
) -> Diff:
    """What changed from checkpoint `a` to checkpoint `b`, of any formats and any generations of Keras.

    What `convert` does to bring one into Keras 3 is no change, unless the scope is `exact`; it is in the `restated` of
    the result. `progress` is told the bytes that were compared, of both sides. Raises CheckpointError where one of the
    two cannot be opened; a weight that cannot be read is among the `unreadable` of the result.
    """
    if not isinstance(a, Checkpoint):
        with open_checkpoint(a) as opened:
            return diff(opened, b, scope, progress)
    if not isinstance(b, Checkpoint):
        with open_checkpoint(b) as opened:
            return diff(a, opened, scope, progress)
    for side in (a, b):
        side.require_one_view()
    as_they_are = scope.exact or all(map(_is_of_keras_3, (a, b)))
    found = as_written(a, b, scope, progress) if as_they_are else _in_one_form(a, b, scope, progress)
    return found if scope.match else replace(found, assets=asset_changes(a, b))


def _in_one_form(a: Checkpoint, b: Checkpoint, scope: Scope, progress: Progress) -> Diff:
    """The diff of two checkpoints of any generations, without the models that only hold another."""
    one, other, held = without_holders(a, b)
    found = _by_generation(one, other, scope, progress)
    return replace(found, restated=(*held, *found.restated))


def _is_of_keras_3(checkpoint: Checkpoint) -> bool:
    """Whether a checkpoint says so itself, which saves a look at its config."""
    version = checkpoint.producer.keras_version
    return version is not None and generation_of(None, version) is Generation.KERAS_3


def _by_generation(a: Checkpoint, b: Checkpoint, scope: Scope, progress: Progress) -> Diff:
    """The diff of two checkpoints: as they are where one generation wrote both and nothing but values differs."""
    own = architecture_of(a), architecture_of(b)
    architectures = own[0] or scope.architecture or own[1], own[1] or scope.architecture or own[0]
    generations = _generation(a, own[0], architectures[0]), _generation(b, own[1], architectures[1])

    def restated(progress: Progress) -> Diff:
        from ckpttool.equivalence.comparison import Source, restated_diff  # not needed for what Keras 3 wrote

        one, other = map(Source, (a, b), architectures, generations)
        return restated_diff(one, other, scope, progress)

    if generations[0] is not generations[1]:
        return _explained(restated(progress), own, generations)
    found = as_written(a, b, scope, progress)
    if generations[0] is Generation.KERAS_3 or not found.differences & _BY_WORDS:
        return _explained(found, own, generations)
    other = restated(ignored)
    return found if other.differences else other


def _explained(
    found: Diff, own: tuple[Architecture | None, Architecture | None], generations: tuple[Generation, Generation]
) -> Diff:
    if None not in own or not found.differences:
        return found
    from ckpttool.equivalence.guesses import explained  # not needed where both configs are known

    return explained(found, own, generations)


def _generation(checkpoint: Checkpoint, own: Architecture | None, other: Architecture | None) -> Generation:
    """The generation of Keras in whose words a checkpoint is, by its own config or by who wrote it.

    The weights alone of the path layout are in those of Keras 3 where they name their objects, as Keras does from 3.6
    on; else in those of the architecture that tells what they are.
    """
    version = checkpoint.producer.keras_version
    if own is not None:
        return generation_of(own.config, version)
    if checkpoint.kind in PATH_KINDS:
        if other is None or checkpoint.object_names:
            return Generation.KERAS_3
        return generation_of(other.config)
    if checkpoint.kind == "keras0-weights":
        return Generation.KERAS_0
    return generation_of(None, version) if version else Generation.KERAS_1
