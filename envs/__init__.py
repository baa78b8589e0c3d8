"""Worlds with named factors, domains of their contexts, transfer tasks, and frames of them.

Importing this registers darla's environments with Gymnasium and opens no graphics; the first environment does.
"""

from darla.envs.domains import tasks
from darla.envs.domains.axes import axes_of, axes_task
from darla.envs.domains.domain import AnyDomain, Domain, domain_from_dict
from darla.envs.domains.env_domain import EnvDomain
from darla.envs.domains.env_setup import EnvSetup
from darla.envs.domains.factor_space import Context, Factor, FactorSpace
from darla.envs.domains.specs import Choice, Given, Uniform
from darla.envs.domains.tasks import TransferTask, leak_level
from darla.envs.domains.world import WORLDS, Fact, World, register_world
from darla.envs.make_env import make
from darla.envs.registration import register
from darla.envs.worlds.car_racing import CAR_RACING
from darla.envs.worlds.control_suite import CONTROL_SUITE
from darla.envs.worlds.grid_world import GRID_WORLD, TWO_SQUARES
from darla.envs.worlds.jaco import JACO
from darla.envs.worlds.room_search import ROOM_SEARCH
from darla.envs.worlds.seek_avoid import SEEK_AVOID

register()

__all__ = [
    "CAR_RACING",
    "CONTROL_SUITE",
    "GRID_WORLD",
    "JACO",
    "ROOM_SEARCH",
    "SEEK_AVOID",
    "TWO_SQUARES",
    "WORLDS",
    "AnyDomain",
    "Choice",
    "Context",
    "Domain",
    "EnvDomain",
    "EnvSetup",
    "Fact",
    "Factor",
    "FactorSpace",
    "Given",
    "TransferTask",
    "Uniform",
    "World",
    "axes_of",
    "axes_task",
    "domain_from_dict",
    "leak_level",
    "make",
    "register_world",
    "tasks",
]
