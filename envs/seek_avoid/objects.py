"""The objects to seek and to avoid: two sets, each with a good and a bad kind.

As in DeepMind Lab's level, which names hats and cans (set A) and cakes and balloons (set B), no kind is in both sets.
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class Kind:
    """One kind of object."""

    name: str
    """Also the name of MiniWorld's mesh."""
    good: bool
    """Whether touching it is worth +1; -1 otherwise."""
    height: float
    """In meters; the mesh is scaled to it."""
    radius: float
    """In meters: of the upright cylinder around the mesh, as MiniWorld computes it."""

    @property
    def worth(self) -> float:
        """The reward for touching it."""
        return 1.0 if self.good else -1.0


KINDS: tuple[Kind, ...] = (
    Kind("medkit", good=True, height=0.8, radius=0.504),
    Kind("cone", good=False, height=1.0, radius=0.449),
    Kind("duckie", good=True, height=0.8, radius=0.536),
    Kind("barrel", good=False, height=0.9, radius=0.441),
)
"""Every kind; its index in this tuple is the number that frame sets store."""

WIDEST = max(kind.radius for kind in KINDS)
"""The radius that every kind is placed with, so that one seed gives one layout for both sets."""

KIND_NAMES = tuple(kind.name for kind in KINDS)

OBJECT_SETS: dict[str, tuple[Kind, Kind]] = {"A": (KINDS[0], KINDS[1]), "B": (KINDS[2], KINDS[3])}
"""The good and the bad kind of each set."""
