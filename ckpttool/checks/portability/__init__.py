"""Whether Keras 3 loads a checkpoint, and what `ckpttool convert` would change so that it does.

A model that Keras 3 wrote and builds has two findings at most: own classes that have to be passed to `load_model`, and,
only if a policy asks for it, that Keras 2 does not open the file. Code in the model is for the rules of safety.
"""

from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING

from ckpttool.checkpoint import Checkpoint
from ckpttool.checks.portability.rules import COMPUTED_DIFFERENTLY, NEEDS_KERAS_3, OWN_OBJECTS, REFUSED, RULES
from ckpttool.checks.rule import Finding, Outcome, Rule
from ckpttool.checks.subject import Subject
from ckpttool.model.generations.generation import Generation, generation_of

if TYPE_CHECKING:
    from ckpttool.model.buildability import Obstacle


def portability(subject: Subject) -> Iterator[Outcome]:
    """The obstacles between a model and Keras 3."""
    checkpoint, architecture = subject.checkpoint, subject.architecture
    if checkpoint is None:
        return
    if checkpoint.format.is_of_keras_0:
        yield Finding(REFUSED, "", "the layout of Keras 0.x, in which Keras 3 finds no layers")
    if architecture is None:
        return
    from ckpttool.model.unlisted_layers import is_of_keras  # which brings the tables of what Keras 3 builds

    if is_of_keras(architecture):
        yield from _obstacles(checkpoint)
    if not architecture.layers or subject.alignment_error is not None:
        return
    yield from _obstacles(checkpoint)
    generation = generation_of(architecture.config, checkpoint.producer.keras_version)
    if generation is not Generation.KERAS_3:
        from ckpttool.checks.portability.plans import conversion_outcomes  # slow to import, and only old files need it

        yield from conversion_outcomes(checkpoint, architecture, generation)
    elif subject.policy.asks_for(NEEDS_KERAS_3.code):
        yield Finding(NEEDS_KERAS_3, "config", f"a config of {_writer(checkpoint)}, which Keras 2 does not open")


def _writer(checkpoint: Checkpoint) -> str:
    version = checkpoint.producer.keras_version
    return f"Keras 3 ({version})" if version else "Keras 3"


def _obstacles(checkpoint: Checkpoint) -> Iterator[Outcome]:
    """The parts of a config on which Keras 3 raises when it builds the model, or when it compiles it."""
    from ckpttool.model.buildability import buildability_of

    buildability = buildability_of(checkpoint)
    if buildability is None:
        return
    yield from _one_per_reason(REFUSED, buildability.obstacles, "config", "")
    yield from _one_per_reason(COMPUTED_DIFFERENTLY, buildability.misread, "config", "")
    leave_out = "; load_model(compile=False) leaves it out"
    yield from _one_per_reason(REFUSED, buildability.compile_obstacles, "compile", leave_out)
    own = buildability.own_names(buildability.compiles)
    if own and buildability.builds:
        yield Finding(OWN_OBJECTS, "config", f"load_model needs them as custom_objects: {', '.join(own)}")


def _one_per_reason(rule: Rule, obstacles: "Iterable[Obstacle]", place: str, remark: str) -> Iterator[Outcome]:
    """A finding for each reason, at the first place where it occurs, with the number of other places."""
    places = dict[tuple[str, str], list[str]]()
    for obstacle in obstacles:
        places.setdefault((obstacle.class_name, obstacle.reason), []).append(obstacle.where or place)
    for (_, reason), occurrences in places.items():
        more = f", and in {len(occurrences) - 1:,} more places" if occurrences[1:] else ""
        yield Finding(rule, occurrences[0], f"{reason}{more}{remark}")


CHECKS: tuple[Callable[[Subject], Iterator[Outcome]], ...] = (portability,)

__all__ = ["CHECKS", "RULES"]
