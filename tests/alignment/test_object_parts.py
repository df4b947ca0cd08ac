"""One of several models in a checkpoint of TensorFlow."""

import json
from pathlib import Path

import pytest

import ckpttool
from ckpttool.conversion import convert
from ckpttool.conversion.options import Options
from ckpttool.errors import ConversionError, UnsupportedError
from tests.alignment.test_object_graphs import _CONFIG, _checkpoint


@pytest.mark.parametrize("name", ["generator", "discriminator"])
def test_the_named_model_is_taken(name: str, tmp_path: Path) -> None:
    """Of two models that fit equally well, the one that was named is converted."""
    source, arch = _checkpoint(tmp_path, "generator", "discriminator"), tmp_path / "arch.json"
    arch.write_text(json.dumps(_CONFIG))
    with pytest.raises(ConversionError):
        convert(source, tmp_path / "new.weights.h5", arch=arch)
    convert(source, tmp_path / "new.weights.h5", arch=arch, options=Options(part=name))
    with ckpttool.open(tmp_path / "new.weights.h5") as written, ckpttool.open(source) as checkpoint:
        (weight,) = written.values()
        assert weight.read().tolist() == checkpoint[f"{name}/k"].read().tolist() == [[float(name == "generator")]]


def test_another_name_is_an_error(tmp_path: Path) -> None:
    """A name that the root does not have is refused with those that it has."""
    source, arch = _checkpoint(tmp_path, "generator", "discriminator"), tmp_path / "arch.json"
    arch.write_text(json.dumps(_CONFIG))
    with pytest.raises(UnsupportedError, match="has no part of this name") as caught:
        convert(source, tmp_path / "new.weights.h5", arch=arch, options=Options(part="critic"))
    assert "generator, discriminator" in str(caught.value)
