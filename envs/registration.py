"""What Gymnasium is told of darla's environments; nothing heavy is loaded before one is made."""

import gymnasium


def register() -> None:
    """Register `darla/SeekAvoid-v0` and `darla/CarRacing-v0`."""
    if "darla/SeekAvoid-v0" not in gymnasium.registry:
        # SeekAvoid cuts its own episodes off, since the size decides how long they are.
        gymnasium.register("darla/SeekAvoid-v0", entry_point="darla.envs.seek_avoid.env:SeekAvoid")
    if "darla/CarRacing-v0" not in gymnasium.registry:
        # It counts frames, of which an action lasts several.
        gymnasium.register("darla/CarRacing-v0", entry_point="darla.envs.car_racing.env:RecoloredCarRacing")
