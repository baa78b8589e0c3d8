"""CarRacing as a world: its colors as factors, and what is known about the car on the road."""

from darla.envs.car_racing.colors import CAR, GRASS, ROAD
from darla.envs.domains.factor_space import Factor, FactorSpace
from darla.envs.domains.world import Fact, World, register_world


def _hue(surface: str) -> Factor:
    about = f"added to the hue of the {surface}'s named color, a full turn of the color wheel is 1"
    return Factor(f"{surface}_hue", "circular", 0.0, about=about)


def _brightness(surface: str) -> Factor:
    about = f"times the HSV value of the {surface}'s named color"
    return Factor(f"{surface}_brightness", "continuous", 1.0, 0.6, 1.25, about=about)


SPACE = FactorSpace(
    (
        Factor("grass", "discrete", "green", choices=tuple(GRASS), about="named color of the ground and its patches"),
        Factor("car", "discrete", "red", choices=tuple(CAR), about="named color of the car"),
        Factor("road", "discrete", "gray", choices=tuple(ROAD), about="named color of the asphalt"),
        _hue("grass"),
        _brightness("grass"),
        _hue("car"),
        _brightness("car"),
        _brightness("road"),  # no hue: gray has none
    )
)

CAR_RACING = register_world(
    World(
        "car_racing",
        "darla/CarRacing-v0",
        SPACE,
        facts=(
            Fact("offset", "number", unit="half road widths"),
            Fact("heading", "angle", unit="rad"),
            Fact("speed", "number", unit="track units/s"),
            Fact("curve", "number", unit="rad"),
        ),
        random_start={"start": "anywhere"},
        requires="darla[car-racing]",
        license="MIT (Gymnasium)",
        about="Gymnasium's CarRacing in other colors",
        action_names=(("nothing", "steer right", "steer left", "gas", "brake"),),
    )
)
"""Gymnasium's CarRacing, its tracks and physics, in named colors."""
