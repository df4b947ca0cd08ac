"""The names of the operations that TensorFlow itself registers, written down by each version and put together.

    python tests/dangers/live_operations.py > VERSION.txt       in the environment of a TensorFlow, 1.15 to 2.21
    python -m tests.dangers.live_operations VERSION.txt ...     all of them together: ckpttool/dangers/operations.json

An operation with another name comes from a library that the program loads (`tf.load_op_library`).
"""

import json
import os
import sys
from pathlib import Path

TARGET = Path(__file__).resolve().parents[2] / "ckpttool" / "dangers" / "operations.json"


def registered() -> "list[str]":
    """The names that this TensorFlow registers."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    import tensorflow  # noqa: F401 it registers them
    from tensorflow.core.framework import op_def_pb2

    try:
        from tensorflow.python.client import pywrap_tf_session as interface
    except ImportError:
        from tensorflow.python import pywrap_tensorflow as interface
    ops = op_def_pb2.OpList()
    ops.ParseFromString(interface.TF_GetBuffer(interface.TF_GetAllOpList()))
    return sorted({op.name for op in ops.op})


if __name__ == "__main__":
    if len(sys.argv) == 1:
        sys.stdout.write("".join(f"{name}\n" for name in registered()))
    else:
        together = sorted({name for path in sys.argv[1:] for name in Path(path).read_text().split()})
        TARGET.write_text(json.dumps(together, indent=0) + "\n")
