"""Aliases of classes: a config may use any public name, paths are made of the class's own."""

import pytest

from ckpttool.model import read_architecture
from ckpttool.model.class_names import ALIASES


@pytest.mark.parametrize(
    ("class_name", "place"),
    [
        ("GroupQueryAttention", "grouped_query_attention"),
        ("Convolution2D", "conv2d"),
        ("MaxPool1D", "max_pooling1d"),
        ("Dense", "dense"),
        ("Custom>MyLayer", "my_layer"),
    ],
)
def test_places_follow_from_the_class_itself(class_name: str, place: str) -> None:
    """The path of a layer comes from its class, whatever public name the config has."""
    config = {"class_name": "Sequential", "config": {"name": "m", "layers": [{"class_name": class_name, "config": {}}]}}
    architecture = read_architecture(config)
    assert architecture is not None
    assert [layer.place for layer in architecture.layers] == [("layers", place)]


def test_no_alias_stands_for_another() -> None:
    """An alias leads to a class in one step."""
    assert not ALIASES.keys() & set(ALIASES.values())
