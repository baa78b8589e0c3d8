"""Concepts over named attributes, and what the operators make of them."""

import numpy as np
import pytest

from darla.common import InputError
from darla.vision.concepts.operators import OPERATORS, combine, parse_instruction
from darla.vision.concepts.space import ANY, Attribute, ConceptSpace, matches, space_of

WALL = Attribute("wall", ("red", "green", "blue"), "wall_hue")
OBJECT = Attribute("object", ("key", "duckie"), "object_kind")
FLOOR = Attribute("floor", ("red", "green"), "floor_hue")
SPACE = ConceptSpace([WALL, FLOOR, OBJECT])


def test_every_choice_of_values_is_a_concept_and_has_a_number() -> None:
    assert len(SPACE) == 4 * 3 * 3 - 1
    rows = np.arange(len(SPACE))
    concepts = SPACE.concepts_at(rows)
    assert len(np.unique(concepts, axis=0)) == len(SPACE)
    assert (concepts != ANY).any(axis=1).all()
    np.testing.assert_array_equal(SPACE.rows_of(concepts), rows)
    assert SPACE.rows_of(np.full((1, 3), ANY)).tolist() == [-1]
    with pytest.raises(InputError, match="from 0 to 34"):
        SPACE.concepts_at(np.array([35]))


def test_rooms_have_the_attributes_of_the_paper() -> None:
    from darla.envs.image_data.rooms import Rooms

    space = space_of(Rooms())
    assert {each.name: len(each.values) for each in space.attributes} == {
        "wall": 16, "floor": 16, "color": 16, "object": 3,
    }  # fmt: skip
    assert space.symbol_size == 51
    assert len(space) == 17**3 * 4 - 1


def test_a_symbol_has_a_one_for_each_specified_value() -> None:
    symbols = SPACE.symbols(np.array([[2, ANY, 0], [ANY, ANY, ANY], [0, 1, 1]]))
    np.testing.assert_array_equal(symbols[0], [0, 0, 1, 0, 0, 1, 0])
    np.testing.assert_array_equal(symbols[1], np.zeros(7))
    assert symbols[2].sum() == 3
    assert [part.tolist() for part in SPACE.parts(symbols[2])] == [[1, 0, 0], [0, 1], [0, 1]]


def test_text_is_read_back_as_it_was_written() -> None:
    for concept in SPACE.concepts_at(np.arange(len(SPACE))):
        np.testing.assert_array_equal(SPACE.parse(SPACE.text(concept)), concept)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("wal=red", "unknown attribute 'wal'; did you mean 'wall'?"),
        ("wall=gren", "did you mean 'green'?"),
        ("wall=red wall=blue", "specifies attribute 'wall' twice"),
        ("wall", "write ATTRIBUTE=VALUE"),
    ],
)
def test_what_is_not_known_is_named_with_the_closest(text: str, message: str) -> None:
    with pytest.raises(InputError, match=message.replace("?", r"\?")):
        SPACE.parse(text)


def test_a_concept_matches_the_images_that_have_its_values() -> None:
    images = np.array([[2, 0, 0], [2, 1, 1], [0, 0, 0]])
    concepts = np.stack([SPACE.parse("wall=blue"), SPACE.parse("wall=blue object=duckie"), np.full(3, ANY)])
    np.testing.assert_array_equal(matches(concepts, images), [[1, 1, 0], [0, 1, 0], [1, 1, 1]])


def test_operators_are_set_operations() -> None:
    nothing = np.full(3, ANY)
    for concept in SPACE.concepts_at(np.arange(len(SPACE))):
        np.testing.assert_array_equal(combine("AND", concept, nothing), concept)  # AND with nothing is the identity
        np.testing.assert_array_equal(combine("AND", nothing, concept), concept)
        np.testing.assert_array_equal(combine("IGNORE", concept, nothing), concept)
        np.testing.assert_array_equal(combine("IGNORE", concept, concept), nothing)
        np.testing.assert_array_equal(combine("IN COMMON", concept, concept), concept)
    wall, room = SPACE.parse("wall=red"), SPACE.parse("wall=red floor=green")
    np.testing.assert_array_equal(combine("IN COMMON", wall, room), wall)
    np.testing.assert_array_equal(combine("IGNORE", room, wall), SPACE.parse("floor=green"))
    np.testing.assert_array_equal(combine("AND", wall, SPACE.parse("floor=green")), room)
    with pytest.raises(InputError, match="AND needs concepts that agree"):
        combine("AND", wall, SPACE.parse("wall=blue"))
    with pytest.raises(InputError, match="operator"):
        combine("OR", wall, room)


def test_instructions_nest() -> None:
    meaning = parse_instruction(
        SPACE, "(wall=red object=key) IN COMMON (wall=red floor=green) AND object=duckie"
    ).meaning()
    np.testing.assert_array_equal(meaning, SPACE.parse("wall=red object=duckie"))
    nested = parse_instruction(SPACE, "wall=red object=key IGNORE (object=key AND floor=red)").meaning()
    np.testing.assert_array_equal(nested, SPACE.parse("wall=red"))
    assert set(OPERATORS) == {"AND", "IN COMMON", "IGNORE"}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "lacks a concept"),
        ("wall=red AND", "lacks a concept"),
        ("(wall=red", "without its"),
        ("wall=red)", "without its"),
        ("wall=red ADN floor=red", "operator"),
        ("wall=red (floor=red)", "lacks an operator"),
    ],
)
def test_an_instruction_that_cannot_be_read_is_refused(text: str, message: str) -> None:
    with pytest.raises(InputError, match=message):
        parse_instruction(SPACE, text)


def test_values_come_from_numbers_or_from_names() -> None:
    factors = {"wall_hue": np.array([0, 2]), "floor_hue": np.array(["green", "red"]), "object_kind": np.array([1, 1])}
    np.testing.assert_array_equal(SPACE.values_of(factors), [[0, 1, 1], [2, 0, 1]])
    with pytest.raises(InputError, match="value of attribute 'floor'"):
        SPACE.values_of({**factors, "floor_hue": np.array(["green", "rad"])})
    with pytest.raises(InputError, match="has the values 0 to 1"):
        SPACE.values_of({**factors, "object_kind": np.array([1, 2])})


def test_attributes_that_could_not_be_written_are_refused() -> None:
    with pytest.raises(InputError, match="cannot be a name"):
        Attribute("wall", ("dark red", "blue"), "wall")
    with pytest.raises(InputError, match="at least two values"):
        Attribute("wall", ("red",), "wall")
    assert ConceptSpace.from_list(SPACE.to_list()).attributes == SPACE.attributes
