"""The hard_sigmoid of Keras 0 to 2 as a registered function."""

import subprocess
import sys

_SCRIPT = """
import numpy, keras, ckpttool.old_activations
layer = keras.layers.deserialize({"module": "keras.layers", "class_name": "Activation", "registered_name": None,
    "config": {"name": "a", "activation": {"module": "builtins", "class_name": "function",
    "config": "ckpttool>hard_sigmoid", "registered_name": "function"}}})
x = numpy.linspace(-4, 4, 101, dtype="float32")
numpy.testing.assert_allclose(layer(x), numpy.clip(0.2 * x + 0.5, 0, 1), atol=1e-6)
again = keras.layers.deserialize(keras.layers.serialize(layer))
both = keras.layers.Bidirectional(keras.layers.LSTM(2, recurrent_activation=layer.activation))
for one in (again.activation, both.forward_layer.recurrent_activation, both.backward_layer.recurrent_activation):
    numpy.testing.assert_allclose(one(x), layer(x))
"""


def test_keras_finds_it_once_it_is_imported() -> None:
    """A config names it as a converted one does; it is 0.2x + 0.5 between 0 and 1, and still is where
    Keras writes the layer and reads it again, as Bidirectional does."""
    done = subprocess.run([sys.executable, "-c", _SCRIPT], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
