"""The things to seek and to avoid: two sets, each with a good and a bad kind.

As in DeepMind Lab's level, which names hats and cans (set A) and cakes and balloons (set B), no kind is in both sets.
"""

from dataclasses import dataclass

Color = tuple[float, float, float]


@dataclass(frozen=True)
class Kind:
    """One kind of object."""

    name: str
    """What a reader calls it; also the name of MiniWorld's mesh."""
    good: bool
    """Whether touching it is worth +1; -1 otherwise."""
    height: float
    """In metres; the mesh is scaled to it."""
    radius: float = 0.50
    """Touch radius in metres."""
    paint: Color = (1.0, 1.0, 1.0)
    """What the mesh's own texture is multiplied with."""

    @property
    def worth(self) -> float:
        """The reward for touching it."""
        return 1.0 if self.good else -1.0


KINDS: tuple[Kind, ...] = (
    Kind("medkit", good=True, height=0.95),
    Kind("cone", good=False, height=1.20),
    Kind("duckie", good=True, height=0.95),
    # The barrel's own blue is as pale as a blue room; painted over, it stays apart from every wall and floor.
    Kind("barrel", good=False, height=1.10, paint=(0.35, 0.50, 1.00)),
)
"""Every kind; its place in this tuple is the number that data sets store."""

KIND_NAMES = tuple(kind.name for kind in KINDS)

OBJECT_SETS: dict[str, tuple[Kind, Kind]] = {"A": (KINDS[0], KINDS[1]), "B": (KINDS[2], KINDS[3])}
"""The good and the bad kind of each set."""
