"""What a SavedModel says beside its weights, of one that TensorFlow 2.15 wrote."""

import ckpttool
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
