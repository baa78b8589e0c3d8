"""A MiniWorld environment of a user, who knows nothing of darla; worker processes import it."""

import gymnasium
import pyglet

pyglet.options["headless"] = True

from miniworld.envs.hallway import Hallway  # noqa: E402

ENV_ID = "own_world:darla-test/OwnWorld-v0"

if "darla-test/OwnWorld-v0" not in gymnasium.registry:
    gymnasium.register("darla-test/OwnWorld-v0", Hallway, disable_env_checker=True)
