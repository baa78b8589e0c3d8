"""Dataclasses in JSON files: read as they were written; a damaged file is named with the field."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import pytest

from darla.common import InputError
from darla.common.errors import ArtefactError
from darla.common.files import write_json
from darla.common.json_records import load_json, to_json


@dataclass(frozen=True)
class Leaf:
    value: float
    kind: Literal["up", "down"] = "up"

    def __post_init__(self) -> None:
        if self.value > 100:
            raise InputError(f"value is {self.value}, but must be at most 100")


@dataclass(frozen=True)
class Tree:
    return_: int
    leaves: tuple[Leaf, ...]
    names: Mapping[str, Leaf | None]
    flag: bool
    free: Mapping[str, Any]
    note: str | None = None


TREE = Tree(3, (Leaf(1.5), Leaf(-2.0, "down")), {"a": None, "b": Leaf(0.0)}, False, {"x": [1, None]})


def test_a_dataclass_is_read_as_it_was_written(tmp_path: Path) -> None:
    write_json(tmp_path / "tree.json", to_json(TREE))
    assert load_json(Tree, tmp_path / "tree.json") == TREE


def test_a_trailing_underscore_is_no_part_of_the_key() -> None:
    assert to_json(TREE)["return"] == 3


def test_whole_numbers_are_floats_where_a_float_is_needed(tmp_path: Path) -> None:
    write_json(tmp_path / "leaf.json", {"value": 1})
    assert load_json(Leaf, tmp_path / "leaf.json") == Leaf(1.0)


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"return": 1.5}, "return is 1.5, not a whole number"),
        ({"return": True}, "return is True, not a whole number"),
        ({"flag": 0}, "flag is 0, not true or false"),
        ({"note": 1}, "note is 1, not text"),
        ({"leaves": {}}, "leaves is {}, not a list"),
        ({"leaves": [{"value": "1"}]}, r"leaves\[0\]\.value is '1', not a number"),
        ({"leaves": [{"value": 1, "kind": "left"}]}, r"leaves\[0\]\.kind is 'left', not one of 'up', 'down'"),
        ({"leaves": [{}]}, r"lacks the field leaves\[0\]\.value"),
        ({"leaves": [{"value": 101}]}, r"in leaves\[0\]: value is 101\.0, but must be at most 100"),
        ({"names": {"b": []}}, r"names\.b is \[\], not an object"),
        ({"names": []}, r"names is \[\], not an object"),
        ({"more": 1}, "unknown field more"),
    ],
)
def test_a_damaged_file_is_named_with_its_field(change: dict[str, Any], sentence: str, tmp_path: Path) -> None:
    write_json(tmp_path / "tree.json", to_json(TREE) | change)
    with pytest.raises(ArtefactError, match=rf"tree\.json is damaged.*{sentence}"):
        load_json(Tree, tmp_path / "tree.json")


@pytest.mark.parametrize("text", [None, "", "[]", "{"])
def test_what_is_no_such_file_is_an_artefact_error(text: str | None, tmp_path: Path) -> None:
    if text is not None:
        (tmp_path / "tree.json").write_text(text)
    with pytest.raises(ArtefactError, match=r"tree\.json"):
        load_json(Tree, tmp_path / "tree.json")
