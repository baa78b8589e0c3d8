"""The Jaco arm as a world: the looks of arm, target and table as factors, and what is known about the arm."""

from darla.envs.control_suite.backgrounds import NUMBERS, PATTERNS
from darla.envs.control_suite.tasks import Source
from darla.envs.domains.factor_space import Factor, FactorSpace
from darla.envs.domains.world import Fact, World, register_world
from darla.envs.worlds.control_suite import LIGHT_AND_CAMERA, surface_factors

TEXTURES = ("plain", *PATTERNS)
"""Surfaces of the table: dm_control's checks, or a drawing that is repeated every 20 cm."""
_LIGHT, _CAMERA = LIGHT_AND_CAMERA[:2], LIGHT_AND_CAMERA[2:]

SPACE = FactorSpace(
    (
        Factor(
            "arm_hue",
            "circular",
            0.0,
            about="hue of the arm's shells, a full turn of the color wheel is 1",
            needs="arm_saturation",
        ),
        Factor("arm_saturation", "continuous", 0.0, 0.0, 0.9, about="HSV saturation of the arm's shells; 0 is gray"),
        Factor("arm_brightness", "continuous", 1.0, 0.5, 5.0, about="times the HSV value of the arm's shells"),
        Factor("object_hue", "circular", 0.0, about="hue of the sphere that is reached for"),
        Factor("object_brightness", "continuous", 1.0, 0.4, 1.0, about="HSV value of the sphere"),
        *surface_factors("table", "the table"),
        Factor("table_texture", "discrete", "plain", choices=TEXTURES, about="what is drawn on the table"),
        Factor("table_texture_number", "continuous", 0.0, 0.0, NUMBERS - 1, about="which drawing, rounded down"),
        *_LIGHT,
        *_CAMERA,
    )
)
"""Everything that decides how it looks; the defaults are dm_control's own looks."""

HAND = "jaco_arm/jaco_hand/pinchsite"
"""Name of the point between the fingers."""
_JOINT = "jaco_arm/joint_{}"
FACTS: tuple[tuple[Fact, Source], ...] = (
    # The second and the third joint are limited; the others turn freely.
    *((Fact(f"joint_{number}", "number" if number in (2, 3) else "angle", unit="rad"),
       ("joint", _JOINT.format(number), 0)) for number in (1, 2, 3)),
    *((Fact(f"hand_{axis}", "number", unit="m"), ("site", HAND, number))
      for number, axis in enumerate("xyz")),
    *((Fact(f"target_{axis}", "number", unit="m"), ("site", "target_site", number))
      for number, axis in enumerate("xyz")),
)  # fmt: skip
"""What probes predict from one image, and where it is read."""

JACO = register_world(
    World(
        "jaco_reach",
        "darla/JacoReach-v0",
        SPACE,
        facts=tuple(fact for fact, _ in FACTS),
        random_start={},  # every episode starts anywhere
        frame_stack=3,
        requires="darla[control]",
        license="Apache-2.0 (dm_control), BSD-3-Clause (model of the arm by Kinova)",
        about="the hand of a Jaco arm is brought to a sphere",
    )
)
"""dm_control's Jaco arm, reaching."""
