"""The product of Nadam's momenta, which files of TensorFlow 2.11 to 2.15 hold and a `.h5` does not."""

from pathlib import Path

import pytest

import ckpttool
from ckpttool.conversion.compile.tensorflow_state import momenta_product
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
