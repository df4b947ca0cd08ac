"""Tests of arithmetic on values."""
