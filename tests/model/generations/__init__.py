"""Tests of the dialects of old Keras."""
