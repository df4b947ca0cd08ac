"""Tests of alignment and names."""
