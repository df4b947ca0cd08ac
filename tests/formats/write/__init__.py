"""Tests of what writes checkpoints."""
