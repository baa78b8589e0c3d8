"""Domains of environments that are not darla's: an id, keyword arguments, and what is done to what they show.

A variant is a set of keyword arguments of the environment; the seed of an episode decides which variant is played.
Where variants differ in more than that, a variant has the keyword arguments below `make`, and parts of a setup
(`darla.envs.domains.env_setup`) beside it:

    {"make": {"size": 8}, "wrappers": [{"wrapper": "my_module:Tint", "arguments": {"hue": 0.5}}]}
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from darla.common import InputError, unknown_name
from darla.envs.domains.env_setup import SETUP_PARTS, EnvSetup, plain

MAKE = "make"
"""Key of a variant that has the keyword arguments where the variant has parts of a setup as well."""
UNSET = "not set"
"""The value of what other variants name and this one does not, as a factor of frames."""
_UNMISTAKABLE = ("wrappers", "observation_key", "reset_options")
"""Parts of a setup that are hardly keyword arguments of an environment."""


@dataclass(frozen=True)
class EnvDomain:
    """A domain of any Gymnasium image environment: its id and keyword arguments.

    Several keyword sets make a mixture; an episode plays one of them, drawn by its seed.

    Raises:
        InputError: there is no variant, a value that is no plain data, or an id that is no text.
    """

    name: str
    env_id: str
    """Gymnasium id; of `module:id` the module is imported first."""
    variants: tuple[Mapping[str, Any], ...] = field(default_factory=lambda: ({},))
    """Sets of keyword arguments; see the head of this module."""
    setup: EnvSetup = field(default_factory=EnvSetup, kw_only=True)
    """What is done to every variant."""
    folder: str = field(default="", kw_only=True, compare=False, repr=False)
    """Where modules are searched first, such as that of the task's JSON file; it is not part of the record."""

    def __post_init__(self) -> None:
        given: object = self.env_id
        if not isinstance(given, str) or not given.strip():
            raise InputError(
                f"env_id of domain {self.name!r} is {self.env_id!r}, but must be the id of an environment, or "
                "module:Class"
            )
        if not self.variants:
            raise InputError(f"domain {self.name!r} has no variant, but needs at least one set of keyword arguments")
        where = f"domain {self.name!r}, variant"
        variants = tuple(plain(dict(variant), f"{where} {number}") for number, variant in enumerate(self.variants))
        object.__setattr__(self, "variants", variants)
        for number in range(len(variants)):
            self.variant(number)  # checks it

    def __hash__(self) -> int:
        return hash((self.name, self.env_id, str(self.variants), str(self.setup)))

    def variant(self, index: int) -> tuple[dict[str, Any], EnvSetup]:
        """Return the keyword arguments of a variant, as plain data, and its whole setup.

        Raises:
            InputError: the variant has an unknown part.
        """
        variant = dict(self.variants[index])
        keywords = variant.pop(MAKE, None)
        if not isinstance(keywords, Mapping):
            if misplaced := [name for name in _UNMISTAKABLE if name in variant]:
                raise InputError(
                    f"variant {index} of {self.name!r} has {misplaced[0]!r} beside keyword arguments of the "
                    f'environment; write {{"make": {{...}}, "{misplaced[0]}": ...}}, the keyword arguments below "make"'
                )
            return dict(self.variants[index]), self.setup
        for name in variant:
            if name not in SETUP_PARTS:
                raise unknown_name(f"part of variant {index} of {self.name!r}:", str(name), (MAKE, *SETUP_PARTS))
        return dict(keywords), EnvSetup.from_dict(variant, self.setup)

    def whole_variants(self) -> tuple[Mapping[str, Any], ...]:
        """Return the variants as they are in a domain whose own setup does nothing."""
        whole = []
        for number in range(len(self.variants)):
            keywords, setup = self.variant(number)
            parts = setup.to_dict()
            whole.append({MAKE: keywords, **parts} if parts or MAKE in keywords else keywords)
        return tuple(whole)

    def values(self, index: int) -> dict[str, Any]:
        """Return what a variant is, as values by name: id, keyword arguments, and the parts of its setup."""
        keywords, setup = self.variant(index)
        return {"env_id": self.env_id, **setup.values(), **keywords}

    def columns(self) -> dict[str, list[Any]]:
        """Return everything that a variant names, each with its value in every variant; `UNSET` where it has none."""
        contexts = [self.values(number) for number in range(len(self.variants))]
        return {name: [context.get(name, UNSET) for context in contexts] for context in contexts for name in context}

    def to_dict(self) -> dict[str, Any]:
        """Return the domain as plain data; `from_dict` reads it back."""
        variants = [dict(part) for part in self.variants]
        return {"name": self.name, "env_id": self.env_id, "variants": variants, **self.setup.to_dict()}

    @classmethod
    def from_dict(cls, data: Mapping[str, Any], folder: str = "") -> "EnvDomain":
        """Build a domain from what `to_dict` returned.

        Args:
            data: the domain.
            folder: where modules are searched first.

        Raises:
            InputError: an unknown part, or a value that cannot be used.
        """
        known = ("name", "env_id", "variants", *SETUP_PARTS)
        for name in data:
            if name not in known:
                raise unknown_name(f"part of domain {data.get('name')!r}:", str(name), known)
        setup = EnvSetup.from_dict({name: data[name] for name in SETUP_PARTS if name in data})
        variants = data.get("variants", [{}])
        if not isinstance(variants, list | tuple) or not all(isinstance(variant, Mapping) for variant in variants):
            raise InputError(
                f"the variants of {data['name']} are {variants!r}, but must be a list of objects with keyword arguments"
            )
        return cls(str(data["name"]), data["env_id"], tuple(variants), setup=setup, folder=folder)
