"""The kinds of checkpoints, held against the fixtures of each."""

import ckpttool
from tests.samples import FIXTURES, TRUTH

OTHERS = ("tensorflow/2.15/mlp.ckpt", "tensorflow/2.15/module")


def test_rows_say_what_files_hold() -> None:
    """Files of a format hold what its row says: a config, weights by paths or by layers, a directory, a SavedModel."""
    for name in (*TRUTH["files"], *OTHERS):
        if "npz" in name:
            continue
        with ckpttool.open(FIXTURES / name) as checkpoint:
            form = checkpoint.format
            if not form.is_of_tensorflow:
                assert form.is_whole == (checkpoint.config is not None), name
            assert bool(checkpoint.layer_names) <= (form.is_legacy or form.is_of_keras_0), name
            assert form.is_saved_model == (checkpoint.saved_model is not None), name
            assert (form.is_directory or form.is_saved_model) == (FIXTURES / name).is_dir(), name
            assert not form.has_paths or all("vars/" in path for path in checkpoint), name
