"""The optimizer of a model, of several that a checkpoint of TensorFlow holds."""

from pathlib import Path

import pytest

import ckpttool
from ckpttool.alignment.optimizer_objects import UnplacedState, optimizer_objects
from tests.formats.tensorflow import writer


def _variable(name: str, key: str) -> writer.Object:
    return [], [("VARIABLE_VALUE", name, key)], []


def _optimizer(iteration: int, variables: int) -> writer.Object:
    return [("_iterations", iteration), ("_variables", variables)], [], []


def _two_models(folder: Path, *names: str, state: tuple[str, str] = ("Adam/m/g/kernel", "Adam/m/c/kernel")) -> Path:
    """A checkpoint of two models and two optimizers since 2.11, these under `names`, whose state has names, too."""
    objects: list[writer.Object] = [
        ([("generator", 1), ("critic", 2), *zip(names, (3, 4), strict=True)], [], []),
        ([("kernel", 5)], [], []),
        ([("kernel", 6)], [], []),
        _optimizer(7, 8),
        _optimizer(9, 10),
        _variable("g/kernel", "generator/k"),
        _variable("c/kernel", "critic/k"),
        _variable("iteration", "first_count"),
        ([("0", 7), ("1", 11)], [], []),
        _variable("iteration", "second_count"),
        ([("0", 9), ("1", 12), ("2", 13)], [], []),
        _variable(state[0], "first_state"),
        _variable(state[1], "second_state"),
        _variable(state[1].replace("/m/", "/v/"), "third_state"),
    ]
    keys = [key for _, attributes, _ in objects for _, _, key in attributes]
    return writer.with_graph(folder, writer.graph(objects), keys)


def _count(path: Path, *weights: str) -> str | None:
    """The path of what counts the steps of the optimizer of these weights."""
    with ckpttool.open(path) as checkpoint:
        objects = optimizer_objects(checkpoint, frozenset(weights))
        return objects.count.path if objects and objects.count else None


@pytest.mark.parametrize(("model", "count"), [("generator/k", "first_count"), ("critic/k", "second_count")])
def test_state_has_the_names_of_weights(model: str, count: str, tmp_path: Path) -> None:
    """Of the optimizers of two models each is known by the weights that its state is named after."""
    assert _count(_two_models(tmp_path, "g_opt", "c_opt"), model) == count


def test_other_names_tell_nothing(tmp_path: Path) -> None:
    """A state that is named after no weight of the model belongs to no optimizer for certain."""
    path = _two_models(tmp_path, "g_opt", "c_opt", state=("Adam/m/other/kernel", "Adam/m/another/kernel"))
    with pytest.raises(UnplacedState, match="2 optimizers"):
        _count(path, "critic/k")


def test_an_optimizer_without_state(tmp_path: Path) -> None:
    """A compiled model that a loop of its user's trains has an optimizer of its own, which keeps nothing."""
    path = _two_models(tmp_path, "optimizer", "of_the_loop", state=("learning_rate", "Adam/m/c/kernel"))
    assert _count(path, "critic/k") == "second_count"
