"""The choice of the loader with which Keras reads a file, and why."""

from ckpttool.checkpoint import Checkpoint
from ckpttool.model.generations.generation import Generation
from ckpttool.verification import object_graphs, old_keras
from ckpttool.verification.expectation import Expectation

_PATH_SUFFIXES = (".keras", ".weights.h5", ".weights.json")
_ORDER_SUFFIXES = (".h5", ".hdf5")


def chosen_loader(checkpoint: Checkpoint, by: str, expected: Expectation) -> tuple[str, str, list[str]]:
    """The loader, the reason for it, and the problems that it has with the file as a whole.

    Keras 3 chooses by the suffix alone (`load_weights`, keras/src/saving/saving_api.py, 3.15), older Keras by the
    content. A model that expects no weights loads from any layout.
    """
    expects, support = bool(expected.spec.slots), expected.support
    if checkpoint.format.is_of_tensorflow:
        by_keras_2 = support is not None and support.writer is Generation.KERAS_2
        return "graph", object_graphs.BECAUSE, [] if by_keras_2 else [object_graphs.UNSUPPORTED]
    if by == "auto" and support and old_keras.reads(checkpoint, support):
        return "order", f"as Keras {support.writer.value} does", []
    suited = "path" if checkpoint.format.has_paths else "order"
    if by != "auto":
        wrong = [] if (by == "path") == (suited == "path") or not expects else [wrong_layout(checkpoint, by)]
        return by, "as asked", wrong
    name = checkpoint.path.name
    suffix = next((suffix for suffix in (*_PATH_SUFFIXES, *_ORDER_SUFFIXES) if name.endswith(suffix)), None)
    if suffix is None:
        problem = f"Keras loads no file of this name: it must end in {', '.join((*_PATH_SUFFIXES, *_ORDER_SUFFIXES))}"
        return suited, "by its content, since its name has no suffix that Keras knows", [problem]
    by = "path" if suffix in _PATH_SUFFIXES else "order"
    problem = _unsuited(checkpoint, suffix) or ("" if by == suited or not expects else wrong_layout(checkpoint, by))
    return by, f"Keras chooses it for names in {suffix}", [problem] if problem else []


def _unsuited(checkpoint: Checkpoint, suffix: str) -> str:
    """The reason why Keras cannot open the file under this suffix; empty where it can."""
    is_archive = checkpoint.format.is_archive
    if suffix == ".keras" and not is_archive:
        return "named .keras, which Keras opens as a zip file, but this is none"
    if suffix != ".keras" and checkpoint.format.is_native:
        return f"a .keras {'archive' if is_archive else 'directory'} named {suffix}, which Keras does not open as such"
    if checkpoint.format.is_of_keras_0:
        return "written by Keras 0.x, in whose files Keras finds no layers; ckpttool convert brings it into Keras 3"
    if suffix == ".weights.json" and not checkpoint.format.is_sharded:
        return "named .weights.json, which Keras reads as the index of sharded weights, but this is none"
    return ""


def wrong_layout(checkpoint: Checkpoint, by: str) -> str:
    """The problem that a loader, by path or by order, has with a file of the other layout."""
    if by == "path":
        return "stored as a legacy .h5, whose weights the loader of .weights.h5 does not find; rename it to .h5"
    return "stored as .weights.h5, in which the loader of legacy .h5 finds no layers; rename it to .weights.h5"
