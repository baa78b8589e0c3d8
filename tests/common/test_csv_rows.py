"""Tables as CSV: written with every digit, read with errors that name file, line and column."""

from dataclasses import dataclass
from pathlib import Path

import pytest

from darla.common.csv_rows import read_numbers, read_rows, write_numbers, write_rows
from darla.common.errors import ArtefactError


@dataclass(frozen=True)
class Row:
    name: str
    value: float | None
    flag: bool


def test_dataclasses_and_mappings_give_the_same_table(tmp_path: Path) -> None:
    rows = [Row('a "b", c', 0.1 + 0.2, True), Row("", None, False)]
    write_rows(tmp_path / "one.csv", rows)
    write_rows(tmp_path / "two.csv", map(vars, rows))
    text = (tmp_path / "one.csv").read_text()
    assert text == (tmp_path / "two.csv").read_text()
    assert text == 'name,value,flag\n"a ""b"", c",0.30000000000000004,1\n,,0\n'


def test_columns_are_those_of_all_rows_or_those_given(tmp_path: Path) -> None:
    rows = [{"a": 1}, {"b": 2, "a": 3}]
    write_rows(tmp_path / "all.csv", rows)
    assert (tmp_path / "all.csv").read_text() == "a,b\n1,\n3,2\n"
    write_rows(tmp_path / "given.csv", rows, ("b",))
    assert (tmp_path / "given.csv").read_text() == 'b\n""\n2\n'
    write_rows(tmp_path / "none.csv", [], ("a", "b"))
    assert (tmp_path / "none.csv").read_text() == "a,b\n"


def test_numbers_are_read_as_they_were_written(tmp_path: Path) -> None:
    rows = [{"step": 1.0, "loss": 0.5}, {"step": 2.0, "kl": -1.0}]
    write_numbers(tmp_path / "n.csv", rows, first=("step",))
    assert (tmp_path / "n.csv").read_text().startswith("step,kl,loss\n")
    assert read_numbers(tmp_path / "n.csv") == rows


def test_errors_name_file_line_and_column(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_text("step\n1\nx\n")
    with pytest.raises(ArtefactError, match=r"t\.csv is damaged in line 3: .*'x'"):
        read_numbers(path)
    with pytest.raises(ArtefactError, match=r"t\.csv is damaged: it has no column 'loss'"):
        read_rows(path, lambda cells: float(cells["loss"]))
    with pytest.raises(ArtefactError, match=r"could not read .*nowhere\.csv: No such file"):
        read_numbers(tmp_path / "nowhere.csv")
