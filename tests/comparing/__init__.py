"""The tests of comparing."""
