"""A training on two devices, which TensorFlow makes of one processor before it begins: in a process of its own."""

import subprocess
import sys
from pathlib import Path

import keras
import pytest

CODE = """
import sys
from pathlib import Path
import tensorflow as tf
tf.config.set_logical_device_configuration(
    tf.config.list_physical_devices("CPU")[0], [tf.config.LogicalDeviceConfiguration()] * 2
)
import keras, numpy as np
from ckpttool.callbacks import ModelCheckpoint, saved_in

strategy = tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"])
x, y = np.linspace(-1, 1, 80, dtype="float32").reshape(20, 4), np.ones((20, 1), "float32")

class Kill(keras.callbacks.Callback):
    def on_train_batch_end(self, batch, logs=None):
        steps = int(keras.ops.convert_to_numpy(self.model.optimizer.iterations))
        if self.params["epochs"] == 3 and steps == 8:
            raise KeyboardInterrupt

def train(place, epochs):
    keras.utils.set_random_seed(1)
    with strategy.scope():
        model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(3, activation="tanh"), keras.layers.Dense(1)])
        model.compile(keras.optimizers.Adam(0.02), "mse", jit_compile=False)
    data = tf.data.Dataset.from_tensor_slices((x, y)).batch(4)
    saving = ModelCheckpoint(Path(sys.argv[1]) / place / "m.keras", save_freq=2, resume=True)
    try:
        model.fit(data, epochs=epochs, verbose=0, callbacks=[saving, Kill()])
    except KeyboardInterrupt:
        pass
    return [keras.ops.convert_to_numpy(each) for each in (*model.variables, *model.optimizer.variables)]

straight = train("straight", 4)
train("killed", 3)
assert saved_in(Path(sys.argv[1]) / "killed")[-1].step == 8
assert strategy.num_replicas_in_sync == 2
resumed = train("killed", 4)
assert all(np.array_equal(*pair) for pair in zip(straight, resumed, strict=True))
print("equal")
"""


@pytest.mark.skipif(keras.backend.backend() != "tensorflow", reason="MirroredStrategy is TensorFlow's")
def test_two_devices(tmp_path: Path) -> None:
    """Killed within an epoch and resumed, it ends as if nothing had happened, to the bit."""
    done = subprocess.run([sys.executable, "-c", CODE, str(tmp_path)], capture_output=True, text=True, timeout=500)
    assert done.stdout.endswith("equal\n"), done.stderr[-3000:]
