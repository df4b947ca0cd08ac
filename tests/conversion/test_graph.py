"""TensorFlow functions in the order in which they run."""

import random

import pytest

from ckpttool.conversion.config.layer_order import in_order
from ckpttool.conversion.config.rewriter import rewrite
from ckpttool.conversion.journal import Journal
from ckpttool.conversion.options import PLAIN
from ckpttool.errors import ConfigError
from ckpttool.model.generations.generation import Generation
from tests.conversion.of_generation import of_generation


@pytest.mark.parametrize("seed", range(20))
def test_each_behind_those_that_it_takes(seed: int) -> None:
    """Functions are in an order in which they can be run, whatever order a config lists; inputs of the graph are not
    waited for."""
    source = random.Random(seed)
    takes = {(f"f{at}", 0): [(f"f{source.randrange(at)}", 0) for _ in range(2) if at] for at in range(60)}
    takes["f0", 0] = [("input", 0)]
    keys = source.sample(list(takes), k=len(takes))
    order = list(in_order(keys, takes.__getitem__))
    turn = {key: at for at, key in enumerate(order)}
    assert sorted(order) == sorted(takes)
    assert all(turn[other] < turn[key] for key in order for other in takes[key] if other in takes)


def test_a_long_chain_backwards() -> None:
    """Takes time by its length alone."""
    keys = [(f"f{at}", 0) for at in range(100_000)]
    order = list(in_order(keys, lambda key: [(f"f{int(key[0][1:]) + 1}", 0)]))
    assert order == keys[::-1]


def test_a_circle_ends() -> None:
    """A function that takes itself, at once or by others, is not run."""
    circle = {("a", 0): [("b", 0)], ("b", 0): [("c", 0)], ("c", 0): [("a", 0)], ("d", 0): [("d", 0)]}
    assert list(in_order([("d", 0)], circle.__getitem__)) == []
    assert list(in_order(list(circle), circle.__getitem__)) == []


def test_the_result_of_a_function_that_is_never_called() -> None:
    """No config that Keras wrote has it, and it is told as what it is."""
    layers = [
        {"class_name": "InputLayer", "name": "x", "config": {"batch_input_shape": [None, 4]}, "inbound_nodes": []},
        {"class_name": "TFOpLambda", "name": "f", "config": {"function": "math.abs"}, "inbound_nodes": None},
        {"class_name": "Dense", "name": "d", "config": {"units": 2}, "inbound_nodes": [[["f", 0, 0, {}]]]},
    ]
    for layer in layers:
        layer["config"]["name"] = layer["name"]  # type: ignore[index]
    config = {"name": "m", "layers": layers, "input_layers": [["x", 0, 0]], "output_layers": [["d", 0, 0]]}
    with pytest.raises(ConfigError, match="never called"):
        rewrite(of_generation({"class_name": "Functional", "config": config}, Generation.KERAS_2), Journal(), PLAIN)
