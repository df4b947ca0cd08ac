"""Tests of listings and descriptions."""
