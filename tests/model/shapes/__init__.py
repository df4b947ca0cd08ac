"""Output shapes, against live Keras."""
