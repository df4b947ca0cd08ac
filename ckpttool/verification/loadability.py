"""The reasons, known without Keras, for which Keras 3 would not load or compile a file that ckpttool has written."""

from collections.abc import Iterator

from ckpttool.checkpoint import Checkpoint
from ckpttool.model import Architecture, architecture_of
from ckpttool.model.spec import spec_of
from ckpttool.model.support import support_of
from ckpttool.verification.verdicts import verify


def reasons_against_loading(
    written: Checkpoint, live: Architecture | None = None, backend: str = ""
) -> tuple[str, ...]:
    """The reasons for which Keras 3 would not load a file.

    Keras does not build or compile the config; or a weight of the model or of the optimizer is missing, left over or of
    another shape. `live` is the architecture of a live model, where no config describes it. `backend` is the backend on
    which the file would be loaded, empty where that is not known.
    """
    return tuple(_reasons(written, live, backend))


def _reasons(written: Checkpoint, live: Architecture | None, backend: str) -> Iterator[str]:
    support = support_of(written) if live is None else None
    obstacles = support.obstacles or support.buildability.compile_obstacles if support else ()
    met = [obstacle for obstacle in obstacles if not (obstacle.outside or (backend and obstacle.backend == backend))]
    reasons = [
        obstacle.description for obstacle in met
    ]  # without files outside the checkpoint, which the user has to bring
    yield from reasons
    architecture = live or architecture_of(written)
    if architecture is None or not (architecture.layers or architecture.part) or reasons:
        return
    result = verify(written, spec_of(architecture), by="path" if written.format.has_paths else "order")
    yield from (f"{finding.label}: {finding.why}" for finding in result.failures)
    yield from result.problems
