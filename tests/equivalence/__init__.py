"""Tests of the comparison by meaning."""
