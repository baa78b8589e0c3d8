"""Images that no agent reads are not drawn: nothing but the images may depend on that."""

import numpy as np
import pytest

from darla.agents import RandomAgent, make_vec, rollout
from darla.common import rng_for
from darla.envs import SEEK_AVOID, Domain, EnvDomain, tasks

N, STEPS = 3, 160
SHAKY = Domain.of(SEEK_AVOID.space.context({"camera_jitter": 2.0}), SEEK_AVOID)


class Looking(RandomAgent):
    """Random play that asks for images, and keeps the brightest pixel of all that it was shown."""

    reads_images = True
    brightest = 0

    def act(self, observations, deterministic, rng, infos=None):
        self.brightest = max(self.brightest, int(observations.max()))
        return super().act(observations, deterministic, rng, infos)


class Undrawn(Looking):
    reads_images = False


def play(agent, domain, workers=1):
    envs = make_vec(domain, N, workers=workers)
    try:
        episodes = rollout(agent, envs, range(N), lambda numbers: rng_for(0, numbers.start))
    finally:
        envs.close()
    for episode in episodes:
        del episode.last_info["episode"]["t"]  # SB3's Monitor counts the seconds
    return episodes


@pytest.mark.parametrize("domain", [SHAKY, tasks.get("sim2sim").targets["textures"]], ids=["jitter", "textures"])
@pytest.mark.parametrize("workers", [1, 2])
def test_episodes_are_the_same_without_images(domain, workers):
    looking, undrawn = Looking(3), Undrawn(3)
    assert play(undrawn, domain, workers) == play(looking, domain, workers)
    assert (undrawn.brightest, looking.brightest > 100) == (0, True)


def test_images_that_are_recorded_are_drawn():
    envs = make_vec(SHAKY, 1)
    [episode] = rollout(RandomAgent(3), envs, [0], lambda _: rng_for(0), record_images=True)
    envs.close()
    assert all(image.max() > 100 for image in episode.images)


def test_training_meets_the_same_states_and_draws_again_when_asked():
    drawn, undrawn = make_vec(SHAKY, N, seed=1), make_vec(SHAKY, N, seed=1)
    undrawn.draw_images(False)
    assert drawn.reset().any()
    assert not undrawn.reset().any()
    rng = np.random.default_rng(0)
    for _ in range(STEPS):  # through the end of an episode
        actions = rng.integers(0, 3, N)
        (_, *expected), (images, *got) = drawn.step(actions), undrawn.step(actions)
        for infos in (expected[-1], got[-1]):
            for info in infos:
                info.pop("terminal_observation", None), info.get("episode", {}).pop("t", None)
        assert str(got) == str(expected)
        assert not images.any()
    undrawn.draw_images(True)
    images, *_ = undrawn.step(actions)
    np.testing.assert_array_equal(images, drawn.step(actions)[0])
    drawn.close(), undrawn.close()


def test_an_environment_with_wrappers_of_the_user_is_always_drawn():
    agent = Undrawn(3)
    play(agent, EnvDomain("room", "darla/SeekAvoid-v0", ({"steps": 5},)))
    assert agent.brightest > 100
