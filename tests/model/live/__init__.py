"""Tests of live models."""
