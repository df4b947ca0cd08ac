"""Numbers of optimizers that files of TensorFlow hold: the product of Nadam's momenta, which a `.h5` of Keras 2 lacks,
and the steps with one factor of losses."""

from pathlib import Path

import pytest

import ckpttool
from ckpttool.alignment.optimizer_objects import optimizer_objects
from ckpttool.conversion.compile.optimizer_scalars import Numbers
from ckpttool.conversion.compile.tensorflow_state import good_steps, momenta_product
from tests.formats.tensorflow import writer


@pytest.mark.parametrize("name", ["_u_product", "momentum_cache", "other"])
def test_the_stored_product_is_taken(name: str, tmp_path: Path) -> None:
    """The number under either name of it, and none where there is neither."""
    objects: list[writer.Object] = [
        ([("optimizer", 1)], [], []),
        ([("iter", 2), (name, 3)], [], []),
        ([], [("VARIABLE_VALUE", "Nadam/iter", "a")], []),
        ([], [("VARIABLE_VALUE", "", "b")], []),
    ]
    with ckpttool.open(writer.with_graph(tmp_path, writer.graph(objects), ["a", "b"])) as checkpoint:
        assert momenta_product(checkpoint, frozenset()) == (None if name == "other" else 4.0)


def test_keras_3_lists_the_product(tmp_path: Path) -> None:
    """Keras 3 lists the product among the variables of Nadam: it is none of those that belong to a weight."""
    objects: list[writer.Object] = [
        ([("optimizer", 1)], [], []),
        ([("_variables", 2), ("_u_product", 4)], [], []),
        ([("0", 3), ("1", 4), ("2", 5)], [], []),
        *(([], [("VARIABLE_VALUE", f"nadam/{key}", key)], []) for key in "abc"),
    ]
    with ckpttool.open(writer.with_graph(tmp_path, writer.graph(objects), list("abc"))) as checkpoint:
        stored_objects = optimizer_objects(checkpoint, frozenset())
    assert stored_objects is not None
    assert stored_objects.product is not None
    assert (stored_objects.product.path, [weight.path for weight in stored_objects.listed]) == ("b", ["c"])


@pytest.mark.parametrize(("at", "steps"), [("step_counter", 4), ("other", 0)])
def test_steps_with_one_factor_are_carried(at: str, steps: int, tmp_path: Path) -> None:
    """An optimizer that scales its loss goes on counting where the stored one was."""
    objects: list[writer.Object] = [
        ([("optimizer", 1)], [], []),
        ([("inner_optimizer", 2), (at, 4)], [], []),
        ([("_iterations", 3)], [], []),
        *(([], [("VARIABLE_VALUE", "", key)], []) for key in "ab"),
    ]
    with ckpttool.open(writer.with_graph(tmp_path, writer.graph(objects), list("ab"))) as checkpoint:
        counted = good_steps(checkpoint, frozenset())
    inner = {"class_name": "Adam", "config": {}}
    scaled = {"class_name": "LossScaleOptimizer", "config": {"inner_optimizer": inner}}
    number = Numbers(scaled, 7, None, good_steps=counted).weight("step_counter")
    assert number is not None
    assert int(number.read()) == counted == steps
