"""Paths of names."""

from ckpttool.paths import join_path, path_from


def test_empty_names_are_left_out() -> None:
    """A path has the names that there are, without a slash at an end or two in a row."""
    assert join_path("encoder", "lstm", "kernel") == "encoder/lstm/kernel"
    assert join_path("", "dense") == join_path("dense", "") == "dense"
    assert join_path("a/b", "", "c") == "a/b/c"
    assert join_path() == join_path("", "") == ""


def test_a_path_from_another() -> None:
    """A relative path leads up and down from a thing; that of the outermost model is empty."""
    assert path_from("a/b", "c") == "a/b/c"
    assert path_from("a/b", "../c") == "a/c"
    assert path_from("", "c/d") == "c/d"
    assert path_from("a", "..") == path_from("", ".") == ""
