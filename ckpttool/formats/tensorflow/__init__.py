"""TensorFlow's own formats: checkpoints of `.index` and `.data-*` files, and SavedModels. Nothing of a graph is ever
run.
"""
