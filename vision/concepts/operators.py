"""What AND, IN COMMON and IGNORE mean for concepts, and instructions that nest them.

Higgins et al. 2018, SCAN (arXiv 1707.03389), section 3: the operators are set operations on what concepts specify.

    a AND b         the union of both
    a IN COMMON b   what both specify alike
    a IGNORE b      what a specifies without what b specifies

An instruction is a concept, or two instructions with an operator between them, from left to right or in parentheses:

    (wall=cyan object=duckie) IN COMMON (wall=cyan floor=red) AND color=blue
"""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TypeVar

import numpy as np

from darla.common import InputError, unknown_name
from darla.vision.concepts.space import ANY, Concepts, ConceptSpace

OPERATORS = ("AND", "IN COMMON", "IGNORE")
_WORDS = {"AND", "IN", "COMMON", "IGNORE"}
T = TypeVar("T")


def combine(operator: str, first: Concepts, second: Concepts) -> Concepts:
    """Return what an operator makes of concepts, int64 (..., A); see the module.

    Raises:
        InputError: there is no such operator, or AND is given two values of one attribute.
    """
    if operator == "AND":
        clash = (first != ANY) & (second != ANY) & (first != second)
        if clash.any():
            raise InputError(
                f"AND needs concepts that agree, but these give attribute {int(np.argwhere(clash)[0][-1])} two values"
            )
        return np.where(first != ANY, first, second)
    if operator == "IN COMMON":
        return np.where(first == second, first, ANY)
    if operator == "IGNORE":
        return np.where(first == second, ANY, first)
    raise unknown_name("operator", operator, OPERATORS)


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

    def meaning(self) -> Concepts:
        """Return the concept that the instruction comes to, int64 (A,).

        Raises:
            InputError: AND is given two values of one attribute.
        """
        return self.fold(lambda concept: concept, combine)


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
    if not pairs:
        raise InputError(
            f"instruction {text!r} lacks a concept; write CONCEPT OPERATOR CONCEPT, such as {space.example()!r} and "
            f"one of {', '.join(OPERATORS)}"
        )
    if word == "(":
        raise InputError(f"instruction {text!r} lacks an operator before (: one of {', '.join(OPERATORS)}")
    return Instruction(concept=tuple(space.parse(" ".join(pairs)).tolist())), word
