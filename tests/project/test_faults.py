"""Every fault of `faults.py` gets the sentence that docs/faults.md shows, and none is called a bug of darla."""

import re
import sys
from pathlib import Path

import pytest
from fault_page import PAGE, lines, sentences
from faults import FAULTS, Fault, sentence_of

EVERY = [fault for faults in FAULTS.values() for fault in faults]


@pytest.mark.parametrize(
    "fault", [pytest.param(each, id=each.what, marks=[pytest.mark.slow] * each.slow) for each in EVERY]
)
def test_a_fault_gets_the_sentence_of_the_page(fault: Fault, tmp_path: Path) -> None:
    sentence = sentence_of(fault, tmp_path)
    assert re.search(fault.expects, sentence), sentence
    assert "bug" not in sentence
    assert not [card for card in tmp_path.rglob("card.json") if card.parent.name not in fault.files]
    if sys.version_info[:2] == (3, 11):  # some of the words are Python's own
        assert sentence == sentences()[fault.what]


def test_the_page_is_made_of_the_faults_and_nothing_else() -> None:
    said = sentences()
    assert list(said) == [fault.what for fault in EVERY]
    assert PAGE.read_text() == "\n".join(lines(lambda fault: said[fault.what]))


def test_there_are_forty_and_each_has_words_of_its_own() -> None:
    assert len(EVERY) == len({fault.what for fault in EVERY}) >= 40
