"""Domains: named factors, contexts, the SeekAvoid task on MiniWorld, transfer tasks, and frames of them.

Importing this registers `darla/SeekAvoid-v0` with Gymnasium and opens no graphics; the first environment does.
"""

from darla.envs.domains import tasks
from darla.envs.domains.domain import AnyDomain, Choice, Domain, EnvDomain, Uniform, domain_from_dict
from darla.envs.domains.factors import FACTORS, Context, Factor
from darla.envs.domains.tasks import TransferTask, leak_level
from darla.envs.make_env import make
from darla.envs.registration import register
from darla.envs.seek_avoid.objects import KIND_NAMES, KINDS, OBJECT_SETS

register()

__all__ = [
    "FACTORS",
    "KINDS",
    "KIND_NAMES",
    "OBJECT_SETS",
    "AnyDomain",
    "Choice",
    "Context",
    "Domain",
    "EnvDomain",
    "Factor",
    "TransferTask",
    "Uniform",
    "domain_from_dict",
    "leak_level",
    "make",
    "tasks",
]
