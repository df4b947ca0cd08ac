"""What a SavedModel says beside its weights, of one that TensorFlow 2.15 wrote."""

import json

from click.testing import CliRunner

import ckpttool
from ckpttool.cli import main
from ckpttool.saved_model import Signature, Tensor
from tests.samples import FIXTURES


def test_signatures_and_assets() -> None:
    """What it can be asked, its tags, its functions and its assets are told."""
    with ckpttool.open(FIXTURES / "tensorflow/2.15/module") as checkpoint:
        found = checkpoint.saved_model
        assert found is not None
        assert found.signatures == (
            Signature(
                "serving_default",
                (Tensor("words", "string", (None,)),),
                (Tensor("numbers", "float32", (None,)),),
            ),
        )
        assert found.tags == (("serve",),)
        assert found.assets == ("words.txt",)
        assert found.functions > 0
        assert found.variables == 1
        assert checkpoint.config is None
        assert checkpoint.producer.keras_version is None


def test_json_has_what_info_shows() -> None:
    """The JSON of `info` has the facts, and none of the objects of the graph, which hold bytes."""
    done = CliRunner().invoke(main, ["info", str(FIXTURES / "tensorflow/2.15_trained/words"), "--output", "json"])
    facts = json.loads(done.stdout)["saved_model"]
    assert facts["config_file"] == "keras_metadata.pb"
    assert not {"objects", "tables"} & facts.keys()
