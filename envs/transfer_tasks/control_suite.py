"""The transfer tasks of the control suite, as data: from the suite's own looks to other ones, one kind at a time.

D_U has looks of every intensity up to hard. Easy and hard targets and the domain for choosing between encoders share no
context: the first go up to 0.1, the last lies between 0.1 and 0.2, hard between 0.2 and 0.3 (`distracted`). No drawn
background of D_U is in a target.
"""

from darla.envs.control_suite.intensity import EASY, HARD, KINDS, MEDIUM, distracted
from darla.envs.control_suite.tasks import TASKS as SUITE_TASKS
from darla.envs.domains.domain import Domain
from darla.envs.domains.tasks import TASKS
from darla.envs.domains.transfer_task import TransferTask
from darla.envs.domains.world import World
from darla.envs.worlds.control_suite import CONTROL_SUITE

_UNLABELED, _CHOOSING, _TARGETS = (0, 499), (500, 599), (600, 999)
"""First and last number of the drawn backgrounds."""
_ABOUT = {
    "color": "hues and brightnesses of body, ground and sky, and other light",
    "background": "drawn backgrounds, still or moving",
    "camera": "a camera turned, raised, tilted, closer or farther away",
    "all": "colors, light, backgrounds and cameras",
}


def _task(name: str, kind: str, world: World) -> TransferTask:
    def domain(role: str, intensity: float, beyond: float, numbers: tuple[int, int]) -> Domain:
        return Domain(role, distracted(kind, intensity, beyond, numbers), world=world)

    return TransferTask(
        f"control/{name}/{kind}",
        domain("unlabeled", HARD, 0.0, _UNLABELED),
        Domain("source", world=world),
        Domain("validation", world=world),
        {
            "easy": domain("easy", EASY, 0.0, _TARGETS),
            "hard": domain("hard", HARD, MEDIUM, _TARGETS),
        },
        domain("selection", MEDIUM, EASY, _CHOOSING),
        f"{world.about}; targets: {_ABOUT[kind]}",
    )


for _name in SUITE_TASKS:
    for _kind in KINDS:
        TASKS.register(f"control/{_name}/{_kind}")(_task(_name, _kind, CONTROL_SUITE[_name]))
