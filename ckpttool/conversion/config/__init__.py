"""The config of a model of Keras 0 to 2 as Keras 3 writes it."""
