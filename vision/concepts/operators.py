"""What AND, IN COMMON, IGNORE and EXCEPT mean for concepts, and instructions that nest them.

Higgins et al. 2018, SCAN (arXiv 1707.03389), section 3: the operators are set operations on what concepts specify.

    a AND b         the union of both
    a IN COMMON b   what both specify alike
    a IGNORE b      what a specifies without what b specifies

Beyond the paper, none of whose operators can say what is not wanted (IGNORE leaves it open):

    a EXCEPT b      what a describes and b does not; b specifies one value of one attribute, which a leaves open
    EXCEPT b        the same of an a that specifies nothing

What EXCEPT makes excludes a value (`object!=key`). So that all operators take such concepts too, a concept is read as
a set of allowed values for each attribute: one, all of them, or all but one. With A and B the sets of an attribute in
a and in b, the operators make of it, as they do in the paper where nothing is excluded,

    a AND b         A ∩ B; refused where it is empty, or neither one value nor all nor all but one: no concept says it
    a IN COMMON b   B if A ⊆ B, A if B ⊆ A, else all: what one specifies and is true of both
    a IGNORE b      all if B ⊆ A, else A: what a specifies and is not already true of b
    a EXCEPT b      all but B for b's attribute, A for all others

So `a AND b` describes exactly the images that both describe, `a EXCEPT b` exactly those of a that are none of b, and
`a IN COMMON b` all images of either, and maybe others.

An instruction is a concept, or two instructions with an operator between them, from left to right or in parentheses:

    (wall=cyan object=duckie) IN COMMON (wall=cyan floor=red) AND color=blue
"""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TypeVar

import numpy as np

from darla.common import InputError, unknown_name
from darla.envs.domains.value_codes import ANY, allows, any_but
from darla.vision.concepts.space import NOTHING, Concepts, ConceptSpace

OPERATORS = ("AND", "IN COMMON", "IGNORE", "EXCEPT")
"""Their numbers are their places, in the artefacts too: a new one comes last."""
PAPER_OPERATORS, EXCEPT = OPERATORS[:3], OPERATORS[3]
_WORDS = {word for operator in OPERATORS for word in operator.split()}
T = TypeVar("T")


def combine(space: ConceptSpace, operator: str, first: Concepts, second: Concepts) -> Concepts:
    """Return what an operator makes of two concepts, int64 (A,) each; see the module.

    Raises:
        InputError: there is no such operator; AND is given what no image or no concept has in common; EXCEPT is given
            on its right anything but one value of one attribute, or one that its left side does not leave open.
    """
    first, second = space.checked(np.stack([first, second]))
    if operator == "AND":
        return _and(space, first, second)
    if operator == "IN COMMON":
        return np.where(allows(second, first), second, np.where(allows(first, second), first, ANY))
    if operator == "IGNORE":
        return np.where(allows(first, second), ANY, first)
    if operator == EXCEPT:
        return _except(space, first, second)
    raise unknown_name("operator", operator, OPERATORS)


def _and(space: ConceptSpace, first: Concepts, second: Concepts) -> Concepts:
    both = np.full(len(first), ANY, np.int64)
    left, right = (space.parts(each) for each in space.allowed(np.stack([first, second])))
    for column, (attribute, ours, theirs) in enumerate(zip(space.attributes, left, right, strict=True)):
        allowed = ours & theirs
        if allowed.sum() == 1:
            both[column] = allowed.argmax()
        elif allowed.sum() == allowed.size - 1:
            both[column] = any_but(int(allowed.argmin()))
        elif not allowed.all():
            said = " and ".join(repr(_only(space, each, column)) for each in (first, second))
            if allowed.any():
                raise InputError(
                    f"AND is given {said}, but a concept excludes at most one value of attribute {attribute.name!r}"
                )
            raise InputError(f"AND needs concepts that agree, but no image has both {said}")
    return both


def _except(space: ConceptSpace, first: Concepts, second: Concepts) -> Concepts:
    given = np.flatnonzero(second != ANY)
    if len(given) != 1 or second[given[0]] < 0:
        raise InputError(
            f"EXCEPT excludes one value of one attribute, such as {space.example()!r}, not {space.text(second)!r}"
        )
    if first[given[0]] != ANY:
        raise InputError(
            f"EXCEPT cannot exclude {space.text(second)!r} from {space.text(first)!r}, which already has "
            f"{_only(space, first, int(given[0]))!r}; it needs an attribute that its left side leaves open"
        )
    excluded = first.copy()
    excluded[given] = any_but(second[given])
    made: Concepts = space.checked(excluded[None])[0]
    return made


def _only(space: ConceptSpace, concept: Concepts, column: int) -> str:
    return space.text(np.where(np.arange(len(concept)) == column, concept, ANY))


@dataclass(frozen=True)
class Instruction:
    """A concept, or an operator and the two instructions that it combines."""

    concept: tuple[int, ...] | None = None
    operator: str = ""
    parts: "tuple[Instruction, Instruction] | None" = None

    def fold(self, leaf: Callable[[Concepts], T], node: Callable[[str, T, T], T]) -> T:
        """Return what `leaf` makes of the concepts, int64 (A,), and `node` of operators, from the inside out."""
        if self.parts is None:
            return leaf(np.array(self.concept, np.int64))
        first, second = (part.fold(leaf, node) for part in self.parts)
        return node(self.operator, first, second)

    def meaning(self, space: ConceptSpace) -> Concepts:
        """Return the concept that the instruction comes to, int64 (A,).

        Raises:
            InputError: an operator is given what it makes nothing of; see `combine`.
        """
        return self.fold(lambda concept: concept, lambda *parts: combine(space, *parts))

    def text(self, space: ConceptSpace) -> str:
        """Return the instruction as `parse_instruction` reads it, with all parentheses."""

        def joined(operator: str, first: str, second: str) -> str:
            left = "" if operator == EXCEPT and first == NOTHING else f"({first}) "
            return f"{left}{operator} ({second})"

        return self.fold(space.text, joined)


def parse_instruction(space: ConceptSpace, text: str) -> Instruction:
    """Return the instruction that a text describes; see the module.

    Raises:
        InputError: the text cannot be read, or names an attribute or a value that is not there.
    """
    words = iter([*re.findall(r"[()]|[^\s()]+", text), ""])
    instruction, last = _read(space, words, next(words), text)
    if last:
        raise InputError(f"instruction {text!r} has a ) without its (")
    return instruction


def _read(space: ConceptSpace, words: Iterator[str], word: str, text: str) -> tuple[Instruction, str]:
    """Read operands and operators up to `)` or the end; return them and the word that ended them."""
    if word == EXCEPT:
        instruction = Instruction(concept=(ANY,) * len(space.attributes))
    else:
        instruction, word = _operand(space, words, word, text)
    while word not in ("", ")"):
        operator, word = word, next(words)
        if operator == "IN" and word == "COMMON":
            operator, word = "IN COMMON", next(words)
        if operator not in OPERATORS:
            raise unknown_name("operator", operator, OPERATORS)
        second, word = _operand(space, words, word, text)
        instruction = Instruction(operator=operator, parts=(instruction, second))
    return instruction, word


def _operand(space: ConceptSpace, words: Iterator[str], word: str, text: str) -> tuple[Instruction, str]:
    if word == "(":
        instruction, last = _read(space, words, next(words), text)
        if last != ")":
            raise InputError(f"instruction {text!r} has a ( without its )")
        return instruction, next(words)
    pairs: list[str] = []
    while word not in ("", "(", ")") and word not in _WORDS:
        if "=" not in word and pairs:
            raise unknown_name("operator", word, OPERATORS)
        pairs.append(word)
        word = next(words)
    if word == EXCEPT and not pairs:
        raise InputError(
            f"instruction {text!r} has an EXCEPT behind an operator; put what begins with it in parentheses"
        )
    if not pairs:
        raise InputError(
            f"instruction {text!r} lacks a concept; write CONCEPT OPERATOR CONCEPT, such as {space.example()!r} and "
            f"one of {', '.join(OPERATORS)}"
        )
    if word == "(":
        raise InputError(f"instruction {text!r} lacks an operator before (: one of {', '.join(OPERATORS)}")
    return Instruction(concept=tuple(space.parse(" ".join(pairs)).tolist())), word
