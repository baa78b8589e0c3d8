"""The transfer tasks of the grid world, as data."""

from darla.envs.domains.dependence import Component
from darla.envs.domains.domain import Domain
from darla.envs.domains.tasks import TASKS
from darla.envs.domains.transfer_task import TransferTask
from darla.envs.domains.world import World
from darla.envs.worlds.grid_world import GRID_WORLD, TWO_SQUARES


def _task(name: str, world: World, about: str) -> TransferTask:
    # D_U has one look, so that what the actions control is all that differs between its images.
    def domain(role: str, **factors: float) -> Domain:
        look: Component = factors
        return Domain(role, (look,), world=world)

    targets = {"green": domain("green", hue=0.33), "gray ground": domain("gray ground", ground=0.4)}
    return TransferTask(name, domain("unlabeled"), domain("source"), domain("validation"), targets, about=about)


TASKS.register("grid-world")(_task("grid-world", GRID_WORLD, "a square that walks to the middle of a grid"))
TASKS.register("two-squares")(_task("two-squares", TWO_SQUARES, "two squares that are moved until they meet"))
