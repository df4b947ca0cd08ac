"""A model beside others in a checkpoint of TensorFlow."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import ckpttool
from ckpttool.conversion import convert
from ckpttool.conversion.options import Options
from ckpttool.errors import ConversionError, UnsupportedError
from tests.alignment.test_object_graphs import _CONFIG, _checkpoint

Run = Callable[..., Any]


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


def test_what_the_parts_are_called(tmp_path: Path, run: Run) -> None:
    """A conversion that does not fit says which parts there are, and `verify` takes one of them, too."""
    source, arch = _checkpoint(tmp_path, "generator", "discriminator"), tmp_path / "arch.json"
    arch.write_text(json.dumps(_CONFIG))
    outcome = run("convert", source, tmp_path / "new.weights.h5", "--arch", arch)
    assert (outcome.code, "it holds generator, discriminator" in outcome.err) == (2, True)
    failed = run("verify", source, arch)
    assert (failed.code, "holds generator, discriminator: --part NAME" in failed.out) == (1, True)
    assert json.loads(run("verify", source, arch, "--output", "json").out)["parts"] == ["generator", "discriminator"]
    assert run("verify", source, arch, "--part", "generator").code == 0
    other = tmp_path / "other.json"
    other.write_text(json.dumps(_CONFIG).replace('"units": 1', '"units": 2'))
    chosen = run("verify", source, other, "--part", "generator")
    assert (chosen.code, "--part" in chosen.out) == (1, False)
