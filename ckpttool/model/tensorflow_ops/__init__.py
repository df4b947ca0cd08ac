"""TensorFlow functions in the graphs of Keras 2: the operations of Keras 3 that each of them stands for."""
