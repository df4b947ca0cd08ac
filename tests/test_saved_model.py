"""The facts of a SavedModel beside its weights, of one that TensorFlow 2.15 wrote."""

import json

from click.testing import CliRunner

import ckpttool
from ckpttool.cli import main
from ckpttool.saved_model import Signature, Tensor
from tests.samples import FIXTURES


def test_signatures_and_assets() -> None:
    """Its signatures, tags, functions and assets are listed."""
    with ckpttool.open(FIXTURES / "tensorflow/2.15/module") as checkpoint:
        model = checkpoint.saved_model
        assert model is not None
        assert model.signatures == (
            Signature(
                "serving_default",
                (Tensor("words", "string", (None,)),),
                (Tensor("numbers", "float32", (None,)),),
            ),
        )
        assert model.tags == (("serve",),)
        assert model.assets == ("words.txt",)
        assert model.functions > 0
        assert model.variables == 1
        assert checkpoint.config is None
        assert checkpoint.producer.keras_version is None


def test_json_has_what_info_shows() -> None:
    """The JSON of `info` has the facts, and none of the objects of the graph, which hold bytes."""
    done = CliRunner().invoke(main, ["info", str(FIXTURES / "tensorflow/2.15_trained/words"), "--output", "json"])
    facts = json.loads(done.stdout)["saved_model"]
    assert facts["config_file"] == "keras_metadata.pb"
    assert not {"objects", "tables"} & facts.keys()
