"""Concepts over named attributes, and what the operators make of them."""

import itertools
from collections.abc import Iterator

import numpy as np
import pytest

from darla.common import InputError
from darla.envs.domains.value_codes import ANY, any_but
from darla.vision.concepts.operators import OPERATORS, combine, parse_instruction
from darla.vision.concepts.space import Attribute, ConceptSpace, matches, space_of

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


def excluding_concepts(space: ConceptSpace) -> np.ndarray:
    """Return every concept there is: each attribute open, specified, or without one value."""
    codes = [range(-1 - size, size) for size in space.sizes]
    concepts = np.array(list(itertools.product(*codes)))
    return np.unique(space.checked(concepts), axis=0)


class Everything:
    """All concepts and all images of a small space, and which concept describes which images."""

    def __init__(self, *sizes: int) -> None:
        self.space = ConceptSpace(
            [Attribute(f"a{number}", tuple(map(str, range(size))), f"a{number}") for number, size in enumerate(sizes)]
        )
        self.concepts = excluding_concepts(self.space)
        self.images = np.array(list(itertools.product(*map(range, sizes))))
        self.shown = matches(self.concepts, self.images)

    def described_by(self, images: np.ndarray) -> np.ndarray | None:
        """Return the one concept that describes exactly these images, found by looking at each; None if none does."""
        found = np.flatnonzero((self.shown == images).all(axis=1))
        assert len(found) <= 1
        return self.concepts[found[0]] if len(found) else None

    def pairs(self) -> Iterator[tuple[tuple[np.ndarray, np.ndarray], ...]]:
        """Return every pair of concepts, each with the images that it describes."""
        return itertools.product(zip(self.concepts, self.shown, strict=True), repeat=2)

    def statements(self, concept: np.ndarray) -> list[np.ndarray]:
        """Return what a concept says, attribute by attribute, as the images of which it is true."""
        columns = np.arange(len(concept))
        single = [np.where(columns == column, concept, ANY) for column in np.flatnonzero(concept != ANY)]
        return [matches(each[None], self.images)[0] for each in single]

    def all_of(self, statements: list[np.ndarray]) -> np.ndarray | None:
        """Return the concept that makes all of these statements."""
        return self.described_by(np.logical_and.reduce([np.ones(len(self.images), bool), *statements]))


# Of four values two excluded ones leave no concept, of three one, of two none.
SPACES = pytest.mark.parametrize("all_of_it", [Everything(4, 2), Everything(3)], ids=["4x2", "3"])


def test_concepts_that_exclude_a_value_are_written_read_and_counted_apart() -> None:
    concepts = excluding_concepts(SPACE)
    assert len(concepts) == 7 * 3 * 3  # three walls: open, one of three, or without one of three
    assert len(SPACE) == 35
    for concept in concepts:
        np.testing.assert_array_equal(SPACE.parse(SPACE.text(concept)) if (concept != ANY).any() else concept, concept)
    excluded = SPACE.parse("object=key wall!=green")
    np.testing.assert_array_equal(excluded, [any_but(1), ANY, 0])
    assert SPACE.text(excluded) == "wall!=green object=key"
    np.testing.assert_array_equal(SPACE.symbols(excluded[None])[0], [0, -1, 0, 0, 0, 1, 0])
    np.testing.assert_array_equal(SPACE.allowed(excluded[None])[0], [1, 0, 1, 1, 1, 1, 0])
    assert SPACE.rows_of(np.stack([excluded, np.array([0, ANY, ANY])])).tolist() == [-1, 8]
    with pytest.raises(InputError, match="from -2 down to -4 for any but one"):
        SPACE.checked(np.array([[-5, 0, 0]]))
    with pytest.raises(InputError, match="specifies attribute 'wall' twice"):
        SPACE.parse("wall=red wall!=green")
    with pytest.raises(InputError, match="did you mean 'wall'"):
        SPACE.parse("wal!=red")


@SPACES
def test_no_two_concepts_describe_the_same_images(all_of_it: Everything) -> None:
    assert len(np.unique(all_of_it.shown, axis=0)) == len(all_of_it.concepts)
    np.testing.assert_array_equal(SPACE.parse("object!=key"), SPACE.parse("object=duckie"))


@SPACES
def test_a_concept_describes_another_if_it_describes_all_its_images(all_of_it: Everything) -> None:
    shown = all_of_it.shown
    expected = ~(shown[None] & ~shown[:, None]).any(axis=2)
    np.testing.assert_array_equal(matches(all_of_it.concepts, all_of_it.concepts), expected)


def test_a_concept_that_excludes_describes_the_images_without_the_value() -> None:
    images = np.array(list(itertools.product(*map(range, SPACE.sizes))))
    concept = SPACE.parse("wall!=blue floor=green")
    np.testing.assert_array_equal(matches(concept[None], images)[0], (images[:, 0] != 2) & (images[:, 1] == 1))


def test_operators_are_set_operations() -> None:
    nothing = np.full(3, ANY)
    for concept in excluding_concepts(SPACE):
        # AND with nothing is the identity
        np.testing.assert_array_equal(combine(SPACE, "AND", concept, nothing), concept)
        np.testing.assert_array_equal(combine(SPACE, "AND", nothing, concept), concept)
        np.testing.assert_array_equal(combine(SPACE, "IGNORE", concept, nothing), concept)
        np.testing.assert_array_equal(combine(SPACE, "IGNORE", concept, concept), nothing)
        np.testing.assert_array_equal(combine(SPACE, "IN COMMON", concept, concept), concept)
    wall, room = SPACE.parse("wall=red"), SPACE.parse("wall=red floor=green")
    np.testing.assert_array_equal(combine(SPACE, "IN COMMON", wall, room), wall)
    np.testing.assert_array_equal(combine(SPACE, "IGNORE", room, wall), SPACE.parse("floor=green"))
    np.testing.assert_array_equal(combine(SPACE, "AND", wall, SPACE.parse("floor=green")), room)
    with pytest.raises(InputError, match="AND needs concepts that agree, but no image has both 'wall=red' and"):
        combine(SPACE, "AND", wall, SPACE.parse("wall=blue"))
    with pytest.raises(InputError, match="operator"):
        combine(SPACE, "OR", wall, room)


def test_without_excluded_values_operators_are_those_of_the_paper() -> None:
    space = Everything(3, 2).space
    positive = np.concatenate([space.concepts_at(np.arange(len(space))), np.full((1, 2), ANY)])
    for a, b in itertools.product(positive, positive):
        np.testing.assert_array_equal(combine(space, "IN COMMON", a, b), np.where(a == b, a, ANY))
        np.testing.assert_array_equal(combine(space, "IGNORE", a, b), np.where(a == b, ANY, a))
        if not ((a != ANY) & (b != ANY) & (a != b)).any():
            np.testing.assert_array_equal(combine(space, "AND", a, b), np.where(a != ANY, a, b))


@SPACES
def test_and_describes_exactly_the_images_of_both_and_is_refused_where_no_concept_does(all_of_it: Everything) -> None:
    refused = 0
    for (a, seen), (b, other) in all_of_it.pairs():
        expected = all_of_it.described_by(seen & other)
        if expected is None:
            refused += 1
            with pytest.raises(InputError, match="AND"):
                combine(all_of_it.space, "AND", a, b)
        else:
            np.testing.assert_array_equal(combine(all_of_it.space, "AND", a, b), expected)
    assert refused


@SPACES
def test_in_common_says_what_one_says_and_is_true_of_both(all_of_it: Everything) -> None:
    for (a, seen), (b, other) in all_of_it.pairs():
        said = all_of_it.statements(a) + all_of_it.statements(b)
        expected = all_of_it.all_of([each for each in said if not ((seen | other) & ~each).any()])
        np.testing.assert_array_equal(combine(all_of_it.space, "IN COMMON", a, b), expected)


@SPACES
def test_ignore_says_what_the_first_says_and_is_not_already_true_of_the_second(all_of_it: Everything) -> None:
    for (a, _), (b, other) in all_of_it.pairs():
        expected = all_of_it.all_of([each for each in all_of_it.statements(a) if (other & ~each).any()])
        np.testing.assert_array_equal(combine(all_of_it.space, "IGNORE", a, b), expected)


@SPACES
def test_except_describes_exactly_the_images_of_the_first_that_are_not_of_the_second(all_of_it: Everything) -> None:
    made = 0
    for (a, seen), (b, other) in all_of_it.pairs():
        given = np.flatnonzero(b != ANY)
        if len(given) == 1 and b[given[0]] >= 0 and a[given[0]] == ANY:
            expected = all_of_it.described_by(seen & ~other)
            np.testing.assert_array_equal(combine(all_of_it.space, "EXCEPT", a, b), expected)
            made += 1
        else:
            with pytest.raises(InputError, match="EXCEPT"):
                combine(all_of_it.space, "EXCEPT", a, b)
    assert made == {2: 4 * 3 + 2 * 9, 1: 3}[len(all_of_it.space.sizes)]


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("wall=red AND (EXCEPT wall=red)", "no image has both 'wall=red' and 'wall!=red'"),
        ("wall=red EXCEPT wall=red", "which already has 'wall=red'"),
        ("EXCEPT wall=red EXCEPT wall=blue", "which already has 'wall!=red'"),
        ("EXCEPT wall=red floor=green", "one value of one attribute, such as 'wall=red', not 'wall=red floor=green'"),
        ("EXCEPT (EXCEPT wall=red)", "not 'wall!=red'"),
        ("EXCEPT (wall=red IGNORE wall=red)", "not 'anything'"),
    ],
)
def test_what_except_makes_nothing_of_is_refused(text: str, told: str) -> None:
    with pytest.raises(InputError, match=told):
        parse_instruction(SPACE, text).meaning(SPACE)


def test_two_excluded_values_of_more_than_three_are_no_concept() -> None:
    space = ConceptSpace([Attribute("hue", ("red", "green", "blue", "gray"), "hue")])
    with pytest.raises(InputError, match="excludes at most one value of attribute 'hue'"):
        parse_instruction(space, "hue!=red AND hue!=blue").meaning(space)
    # Of three they leave one, which is a concept.
    meaning = parse_instruction(SPACE, "wall!=red AND wall!=blue").meaning(SPACE)
    np.testing.assert_array_equal(meaning, SPACE.parse("wall=green"))


def test_an_instruction_may_begin_with_except_and_nests() -> None:
    for text, meaning in (
        ("EXCEPT wall=red", "wall!=red"),
        ("EXCEPT wall=red AND object=key", "wall!=red object=key"),
        ("object=key AND (EXCEPT wall=red)", "wall!=red object=key"),
        ("object=key EXCEPT wall=red", "wall!=red object=key"),
        ("object=key EXCEPT (floor=red AND wall=red IGNORE floor=red)", "wall!=red object=key"),
        ("(EXCEPT wall=red) IN COMMON wall=blue", "wall!=red"),
        ("wall!=red object=key IGNORE wall=blue", "object=key"),
    ):
        instruction = parse_instruction(SPACE, text)
        np.testing.assert_array_equal(instruction.meaning(SPACE), SPACE.parse(meaning))
        assert parse_instruction(SPACE, instruction.text(SPACE)) == instruction
    assert parse_instruction(SPACE, "EXCEPT wall=red").text(SPACE) == "EXCEPT (wall=red)"


def test_instructions_nest() -> None:
    meaning = parse_instruction(
        SPACE, "(wall=red object=key) IN COMMON (wall=red floor=green) AND object=duckie"
    ).meaning(SPACE)
    np.testing.assert_array_equal(meaning, SPACE.parse("wall=red object=duckie"))
    nested = parse_instruction(SPACE, "wall=red object=key IGNORE (object=key AND floor=red)").meaning(SPACE)
    np.testing.assert_array_equal(nested, SPACE.parse("wall=red"))
    assert OPERATORS == ("AND", "IN COMMON", "IGNORE", "EXCEPT")  # artefacts have them by number


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "lacks a concept"),
        ("wall=red AND", "lacks a concept"),
        ("(wall=red", "without its"),
        ("wall=red)", "without its"),
        ("wall=red ADN floor=red", "operator"),
        ("wall=red (floor=red)", "lacks an operator"),
        ("EXCEPT", "lacks a concept"),
        ("wall=red AND EXCEPT floor=red", "put what begins with it in parentheses"),
        ("wall=red EXECPT floor=red", "did you mean 'EXCEPT'"),
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
    with pytest.raises(InputError, match="factor 'object_kind' is -2 in image 1, but must be a number from 0 to 1"):
        SPACE.values_of({**factors, "object_kind": np.array([1, -2])})


def test_attributes_that_could_not_be_written_are_refused() -> None:
    with pytest.raises(InputError, match="cannot be a name"):
        Attribute("wall", ("dark red", "blue"), "wall")
    with pytest.raises(InputError, match="a name must not end in !"):
        Attribute("wall!", ("red", "blue"), "wall")
    with pytest.raises(InputError, match="at least two values"):
        Attribute("wall", ("red",), "wall")
    assert ConceptSpace.from_list(SPACE.to_list()).attributes == SPACE.attributes
