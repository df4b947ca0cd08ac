"""Proofs that Keras loads and runs a converted model."""
