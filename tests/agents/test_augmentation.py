"""Augmented images: what each augmentation may change, and that nobody but the learner ever sees them."""

import gymnasium
import numpy as np
import pytest
import torch
from stable_baselines3.common.callbacks import CallbackList
from stable_baselines3.common.vec_env import DummyVecEnv
from toy_images import SIZE
from toy_training import SHORT, short

from darla.agents import Agent, make_vec, train_agent
from darla.agents.algorithms.build import build
from darla.agents.vec_env.augmentation import BY_NAME, AugmentedVecEnv, convolution, hue, shift
from darla.common import InputError


class Gray(gymnasium.Env):
    """Shows noise without color."""

    observation_space = gymnasium.spaces.Box(0, 255, (SIZE, SIZE, 1), np.uint8)
    action_space = gymnasium.spaces.Discrete(2)

    def reset(self, *, seed=None, options=None):
        return self.observation_space.sample(), {}


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def pictures(count: int, channels: int = 3, side: int = 16) -> torch.Tensor:
    return torch.rand((count, channels, side, side), generator=generator(1))


def test_a_shift_moves_the_whole_image_by_at_most_four_pixels_and_repeats_its_edge():
    side = 16
    places = torch.arange(side * side, dtype=torch.float32).reshape(1, 1, side, side).expand(400, 2, -1, -1)
    moved = shift(places, generator())
    seen = set()
    for image in moved:
        assert torch.equal(image[0], image[1])
        down, across = divmod(int(image[0, side // 2, side // 2]) - (side // 2) * (side + 1), side)
        if across > side // 2:
            down, across = down + 1, across - side
        seen.add((down, across))
        rows = (torch.arange(side) + down).clamp(0, side - 1)
        columns = (torch.arange(side) + across).clamp(0, side - 1)
        assert torch.equal(image[0], places[0, 0][rows][:, columns])
    assert {down for down, _ in seen} == {across for _, across in seen} == set(range(-4, 5))


def test_other_hues_keep_the_lightness_and_every_gray():
    images = pictures(50)
    images[:, :, :4] = images[:, :1, :4]  # gray rows
    changed = hue(images, generator())
    torch.testing.assert_close(changed.amax(1), images.amax(1))
    torch.testing.assert_close(changed.amin(1), images.amin(1))
    torch.testing.assert_close(changed[:, :, :4], images[:, :, :4])
    assert (changed - images).abs().amax((1, 2, 3)).median() > 0.3


def test_a_random_convolution_leaves_a_plain_image_plain_and_stays_in_range():
    plain = torch.tensor([0.2, 0.9, 0.5])[None, :, None, None].expand(30, -1, 12, 12)
    changed = convolution(plain, generator())
    torch.testing.assert_close(changed, changed[:, :, :1, :1].expand_as(changed))
    assert changed[:, :, 0, 0].std(dim=0).min() > 0.05  # each image has a filter of its own
    noisy = convolution(pictures(30), generator())
    assert float(noisy.min()) >= 0.0
    assert float(noisy.max()) <= 1.0


def test_a_random_convolution_is_a_convolution():
    """Its logit is linear: that of a mixture of two images is the mixture of their logits."""
    one, other = pictures(8), 1 - pictures(8).square()
    filtered = [convolution(image, generator(5)).logit() for image in (one, other, 0.25 * one + 0.75 * other)]
    changed = (convolution(one, generator(5)) != one).any((1, 2, 3))
    assert changed.any()
    torch.testing.assert_close(
        filtered[2][changed], (0.25 * filtered[0] + 0.75 * filtered[1])[changed], atol=1e-4, rtol=1e-4
    )


@pytest.mark.parametrize("augmentation", [hue, convolution])
def test_a_tenth_of_the_images_stay_as_they_are(augmentation):
    images = pictures(4000, side=4)
    same = (augmentation(images, generator()) - images).abs().amax((1, 2, 3)) < 1e-5
    assert float(same.float().mean()) == pytest.approx(0.1, abs=4 * 0.3 / 4000**0.5)


@pytest.mark.parametrize("name", sorted(BY_NAME))
def test_all_frames_of_a_stack_are_changed_alike(name):
    one = pictures(10)
    changed = BY_NAME[name](one.repeat(1, 3, 1, 1), generator())
    torch.testing.assert_close(changed[:, :3], changed[:, 3:6])
    torch.testing.assert_close(changed[:, :3], changed[:, 6:])
    torch.testing.assert_close(changed[:, :3], BY_NAME[name](one, generator()))


def test_a_seed_begins_environments_and_augmentations_anew(columns):
    vec = AugmentedVecEnv(make_vec(columns, 2, 0), ("shift", "hue", "convolution"))

    def play(seed: int) -> np.ndarray:
        vec.seed(seed)
        return np.stack([vec.reset(), *(vec.step(np.zeros(2, int))[0] for _ in range(4))])

    first = play(3)
    assert first.dtype == np.uint8
    assert not np.array_equal(play(4), first)
    assert np.array_equal(play(3), first)
    vec.close()


def test_the_last_image_of_an_episode_is_augmented_too(columns):
    plain = make_vec(columns, 2, 0)
    vec = AugmentedVecEnv(make_vec(columns, 2, 0), ("hue",))
    lasts = []
    for env in (plain, vec):
        env.seed(1)
        env.reset()
        infos: list = [{}]
        while "terminal_observation" not in infos[0]:
            *_, infos = env.step(np.zeros(2, int))
        lasts.append(infos[0]["terminal_observation"])
        env.close()
    assert lasts[0].shape == lasts[1].shape
    assert np.array_equal(lasts[0].max(axis=2), lasts[1].max(axis=2))  # other hues keep the lightness
    assert not np.array_equal(*lasts)


def test_ppo_learns_from_what_the_policy_acted_on(columns):
    """Before the first update the probability ratio of every stored transition is 1."""
    vec = AugmentedVecEnv(make_vec(columns, 4, 0), ("shift", "convolution"))
    model = build("ppo", SHORT["ppo"], vec, seed=0)
    _, silent = model._setup_learn(1, CallbackList([]))
    model.collect_rollouts(model.env, silent, model.rollout_buffer, model.n_steps)
    (batch,) = model.rollout_buffer.get()
    model.policy.set_training_mode(True)
    with torch.no_grad():
        _, now, _ = model.policy.evaluate_actions(batch.observations, batch.actions.long().flatten())
    torch.testing.assert_close((now - batch.old_log_prob).exp(), torch.ones(len(now)), atol=1e-5, rtol=0)
    vec.close()


@pytest.fixture(scope="module")
def trained(columns, tmp_path_factory):
    folder = tmp_path_factory.mktemp("augmented")
    names = {"plain": (), "augmented": ("hue",)}
    return {
        name: train_agent(short(augment=augment), columns, None, folder / name, 0) for name, augment in names.items()
    }


def test_a_policy_that_was_trained_on_augmented_images_is_a_policy_like_any_other(trained):
    plain, augmented = (Agent.load(trained[name].folder) for name in ("plain", "augmented"))
    assert plain.description == augmented.description
    weights = [dict(each.policy.state_dict()) for each in (plain, augmented)]
    assert any(not torch.equal(value, weights[1][name]) for name, value in weights[0].items())


def test_nothing_is_augmented_in_evaluation(trained, images):
    agent = Agent.load(trained["augmented"].folder)
    agent.reset(len(images))
    with torch.no_grad():
        tensor, _ = agent.policy.obs_to_tensor(images)
        expected = agent.policy.get_distribution(tensor).distribution.logits.argmax(1)
    for _ in range(3):
        assert np.array_equal(agent.act(images, True, np.random.default_rng(0)), expected.numpy())


def test_the_configuration_of_an_agent_names_its_augmentations(trained):
    assert trained["plain"].config["act"]["augment"] == []
    assert trained["augmented"].config["act"]["augment"] == ["hue"]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"augment": ("hues",)}, "unknown augmentation 'hues'; did you mean 'hue'"),
        ({"augment": ("hue", "hue")}, "twice"),
        ({"augment": ("hue",), "observation": "state"}, "augment would be ignored"),
    ],
)
def test_augmentations_that_mean_nothing_are_refused(changes, message):
    with pytest.raises(InputError, match=message):
        short(**changes)


def test_a_frozen_encoder_leaves_nothing_to_augment(columns, encoder_folder, tmp_path):
    with pytest.raises(InputError, match="augment shift would be ignored"):
        train_agent(short(augment=("shift",)), columns, encoder_folder, tmp_path / "agent", 0)
    assert not (tmp_path / "agent").exists()


def test_images_without_color_have_no_hue():
    vec = DummyVecEnv([Gray])
    with pytest.raises(InputError, match="images of 3 channels, not of 1"):
        AugmentedVecEnv(vec, ("hue",))
    assert AugmentedVecEnv(vec, ("shift",)).reset().shape == (1, SIZE, SIZE, 1)
