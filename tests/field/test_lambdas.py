"""Lambda layers of real files: what their code computes, as their authors wrote it."""

from pathlib import Path

import pytest

from ckpttool.conversion import plan
from tests.corpus import CORPUS, CORPUS_2, FIELD, needs_corpus, needs_corpus_2, needs_field


def computed(path: Path) -> dict[str, str]:
    """The reason given for each Lambda layer, by the layer's name."""
    return {refusal.where: refusal.what.partition(";")[0] for refusal in plan(path, "new.keras").refusals}


@needs_corpus_2
def test_a_self_driving_model() -> None:
    """Python 3.5, Keras 1.2.1: each byte of the code is a character."""
    path = CORPUS_2 / "files" / "naokishibuya__model.h5"
    assert computed(path) == {"lambda_1": "a Lambda layer that computes x / 127.5 - 1.0"}


@needs_corpus
def test_a_model_of_python_2() -> None:
    """Keras 2.0.9; its functions are square and multiply by three."""
    assert computed(CORPUS / "files" / "dl4j__model_lambda.h5") == {
        "lambda_3": "a Lambda layer that computes x ** 2",
        "lambda_4": "a Lambda layer that computes 3 * x",
    }


@needs_field
@pytest.mark.filterwarnings("ignore")
def test_layers_of_one_function() -> None:
    """Each has the factor that its layer gives it; what normalizes by a function of the backend is code."""
    assert computed(FIELD / "c25_facenet.h5") == {
        **{
            f"block_{number}_ScaleSum": f"a Lambda layer that computes x * scale (scale={scale})"
            for number, scale in enumerate((0.17, 0.1, 0.2))
        },
        "norm": "a Lambda layer, which holds code: lambda t that uses K, l2_normalize",
    }
