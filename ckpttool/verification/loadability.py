"""Whether Keras 3 will load a file that ckpttool has written, compiled too, as far as can be known without Keras."""

from collections.abc import Iterator

from ckpttool.checkpoint import Checkpoint
from ckpttool.formats.weights_h5 import PATH_KINDS
from ckpttool.model import Architecture, architecture_of
from ckpttool.model.spec import spec_of
from ckpttool.model.support import support_of
from ckpttool.verification.verdicts import verify


def reasons_against_loading(
    written: Checkpoint, live: Architecture | None = None, backend: str = ""
) -> tuple[str, ...]:
    """Why Keras 3 would not load a file: it does not build or compile the config, or a weight is missing, left over or
    of another shape, in the model or in what it is compiled with. `live` is the model, where no config tells it;
    `backend` the one on which it would be loaded, where that is known."""
    return tuple(_reasons(written, live, backend))


def _reasons(written: Checkpoint, live: Architecture | None, backend: str) -> Iterator[str]:
    support = support_of(written) if live is None else None
    obstacles = support.obstacles or support.buildability.compile_obstacles if support else ()
    met = [one for one in obstacles if not (one.outside or (backend and one.backend == backend))]
    reasons = [one.description for one in met]  # a file beside it is the user's to bring
    yield from reasons
    architecture = live or architecture_of(written)
    if architecture is None or not (architecture.layers or architecture.part) or reasons:
        return
    found = verify(written, spec_of(architecture), by="path" if written.kind in PATH_KINDS else "order")
    yield from (f"{finding.label}: {finding.why}" for finding in found.failures)
    yield from found.problems
