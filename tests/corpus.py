"""The places of real and hostile checkpoints that are no part of this project, and how to do without them."""

from pathlib import Path

import pytest

SHARED = Path(__file__).resolve().parents[2] / "shared"
CORPUS = SHARED / "corpus"
CORPUS_2 = SHARED / "corpus_2"
FIELD = SHARED / "field" / "files"
ADVERSARIAL = SHARED / "adversarial" / "make.py"
ADVERSARIAL_2 = SHARED / "adversarial" / "round2" / "files"

needs_corpus = pytest.mark.skipif(
    not CORPUS.is_dir(), reason="the corpus of real checkpoints is not beside this checkout"
)
needs_corpus_2 = pytest.mark.skipif(
    not CORPUS_2.is_dir(), reason="the second corpus of real checkpoints is not beside this checkout"
)
needs_field = pytest.mark.skipif(
    not FIELD.is_dir(), reason="the checkpoints of reports from the field are not beside this checkout"
)
needs_adversarial = pytest.mark.skipif(
    not ADVERSARIAL.is_file(), reason="the generator of hostile checkpoints is not beside this checkout"
)
