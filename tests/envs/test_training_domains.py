"""Where policies of a study may act while they learn, and what that makes of the leak levels."""

from functools import partial

import numpy as np
import pytest

from darla.common import InputError
from darla.envs import SEEK_AVOID, Domain, EnvDomain, TransferTask, Uniform, leak_level, tasks

room_domain = partial(Domain, world=SEEK_AVOID)


def test_a_policy_acts_in_the_source_unless_it_is_said_otherwise():
    task = tasks.get("conjunction")
    assert task.training_domain() is task.source
    assert task.training_domain("unlabeled") is task.unlabeled
    with pytest.raises(InputError, match="unknown train_domain 'target'; did you mean 'targets'"):
        task.training_domain("target")


@pytest.mark.parametrize("name", tasks.names())
def test_a_policy_that_has_acted_in_the_targets_knows_them_all(name):
    task = tasks.get(name)
    assert {leak_level(task, target, "targets") for target in task.targets} == {"full"}


def test_domain_randomization_knows_what_the_unlabeled_domain_holds_and_nothing_else():
    assert leak_level(tasks.get("conjunction"), "A in room 2") == "conjunction"
    assert leak_level(tasks.get("conjunction"), "A in room 2", "unlabeled") == "full"
    unseen = tasks.get("unseen")
    assert {leak_level(unseen, target, "unlabeled") for target in unseen.targets} == {"none"}


def test_a_target_that_only_its_parts_are_shown_of_stays_a_conjunction():
    unlabeled = room_domain("unlabeled", ({"wall_hue": Uniform(0.0, 0.2)}, {"floor_hue": Uniform(0.5, 0.6)}))
    source = room_domain("source", ({"wall_hue": 0.5},))
    target = room_domain("target", ({"wall_hue": 0.1, "floor_hue": 0.55},))
    task = TransferTask("parts", unlabeled, source, source, {"target": target})
    assert leak_level(task, "target", "unlabeled") == "conjunction"


def test_every_target_has_the_same_weight_in_their_mixture():
    one, two = ({"wall_hue": 0.1},), ({"wall_hue": 0.5}, {"wall_hue": 0.6}, {"wall_hue": 0.7})
    targets = {"one": room_domain("one", one), "two": room_domain("two", two)}
    source = room_domain("source")
    mixture = TransferTask("mixed", source, source, source, targets).training_domain("targets")
    rng = np.random.default_rng(0)
    shares = np.mean([mixture.sample(rng).number("wall_hue") < 0.3 for _ in range(2000)])
    assert shares == pytest.approx(0.5, abs=4 * 0.5 / 2000**0.5)


def test_targets_in_several_environments_have_no_mixture():
    domains = {name: EnvDomain(name, f"darla/{name}-v0") for name in ("one", "two")}
    task = TransferTask("several", domains["one"], domains["one"], domains["one"], domains)
    with pytest.raises(InputError, match="several environments"):
        task.training_domain("targets")
    assert task.training_domain("source") is domains["one"]
