"""Latent drift: 0 for a code that ignores looks, 1 for one that knows nothing else, on real rooms."""

from pathlib import Path

import numpy as np
import pytest
import torch
from short_rooms import hasty_agent, short_task
from torch import Tensor

from darla.analysis.latent_drift import Drift, drift, feature_drift, latent_drift, mean_relative
from darla.common import InputError
from darla.common.json_records import from_json, to_json
from darla.envs import SEEK_AVOID, Domain, tasks
from darla.envs.paired_rendering import PairedRendering, render_pairs
from darla.vision import Posterior, VisionModel

STATES = 12
TASK = tasks.get("conjunction")
TARGET = "A in room 2"


class MeanColor(VisionModel):
    """Reads the mean of each color channel, or nothing at all."""

    def __init__(self, blind: bool) -> None:
        super().__init__(3)
        self._blind = blind
        self.weight = torch.nn.Parameter(torch.zeros(1))

    def encode(self, images: Tensor) -> Posterior:
        means = images.mean(dim=(2, 3))
        means = means * 0 + 0.5 if self._blind else means
        return Posterior(means, torch.zeros_like(means))

    def decode(self, latents: Tensor) -> Tensor:
        raise NotImplementedError

    def loss(self, images: Tensor, generator: torch.Generator | None = None) -> dict[str, Tensor]:
        raise NotImplementedError


@pytest.fixture(scope="module")
def pairs() -> PairedRendering:
    return render_pairs(TASK.source, TASK.targets[TARGET], STATES, 0)


def test_a_pair_is_one_state_in_two_looks(pairs):
    assert pairs.source.shape == pairs.target.shape == (STATES, 64, 64, 3)
    for here, there in pairs.contexts:
        assert (here.name("object_set"), there.name("object_set")) == ("A", "A")
        assert (here.number("wall_hue"), there.number("wall_hue")) == (0.33, 0.00)
        assert (here.number("floor_hue"), there.number("floor_hue")) == (0.08, 0.60)
    assert (pairs.source != pairs.target).any(axis=(1, 2, 3)).all()
    again = render_pairs(TASK.source, TASK.targets[TARGET], STATES, 0)
    np.testing.assert_array_equal(again.target, pairs.target)
    # The first states do not depend on how many follow.
    np.testing.assert_array_equal(render_pairs(TASK.source, TASK.targets[TARGET], 2, 0).source, pairs.source[:2])


def test_the_same_state_is_in_the_same_place_in_any_looks(pairs):
    green = Domain("green", ({"wall_hue": 0.33, "floor_hue": 0.08},), world=SEEK_AVOID)
    swapped = render_pairs(TASK.targets[TARGET], green, STATES, 0)
    for one, other in zip(pairs.states, swapped.states, strict=True):
        assert one == other
    np.testing.assert_array_equal(swapped.target, pairs.source)


def test_an_encoder_that_ignores_what_it_sees_does_not_drift():
    (result,) = latent_drift(MeanColor(blind=True), TASK, states=STATES).values()
    assert (result.relative, result.shift) == (0.0, 0.0)
    assert result.per_latent_relative == (0.0, 0.0, 0.0)


def test_an_encoder_of_colors_drifts_and_not_between_identical_contexts():
    model = MeanColor(blind=False)
    (result,) = latent_drift(model, TASK, states=STATES).values()
    assert result.relative > 0.5
    same = TASK.__class__("same", TASK.unlabeled, TASK.targets[TARGET], TASK.validation, {"same": TASK.targets[TARGET]})
    (still,) = latent_drift(model, same, states=STATES).values()
    assert (still.relative, still.shift) == (0.0, 0.0)


def test_a_code_of_the_state_alone_has_no_drift_and_a_code_of_the_hue_alone_has_all(pairs):
    state = np.array([[info["agent"][name] for name in ("x", "z", "heading")] for info in pairs.states])
    assert drift(state, state).relative == 0.0
    hues = [np.array([[pair[side].number("wall_hue")] for pair in pairs.contexts]) for side in (0, 1)]
    result = drift(*hues)
    assert result.relative == pytest.approx(1.0)
    assert result.shift == pytest.approx(2.0)  # half the distance on either side of the mean
    both = drift(*(np.hstack([state, hue]) for hue in hues))
    np.testing.assert_allclose(both.per_latent_relative, [0, 0, 0, 1], atol=1e-9)
    assert 0 < both.relative < 1


def test_relative_drift_is_one_less_concordance_correlation():
    rng = np.random.default_rng(0)
    one = rng.normal(3, 2, size=(2_000, 1))
    other = 0.7 * one + rng.normal(1, 1, size=(2_000, 1))
    covariance = np.cov(one[:, 0], other[:, 0], ddof=0)
    concordance = 2 * covariance[0, 1] / (np.trace(covariance) + (one.mean() - other.mean()) ** 2)
    assert 1 - drift(one, other).relative ** 2 == pytest.approx(concordance, abs=2e-3)


def test_drift_is_compared_with_every_pair_of_unrelated_states():
    rng = np.random.default_rng(1)
    one, other = rng.normal(size=(6, 3)), rng.normal(size=(6, 3))
    moved = np.mean([np.sum((one[i] - other[i]) ** 2) for i in range(6)])
    unrelated = np.mean([np.sum((one[i] - other[k]) ** 2) for i in range(6) for k in range(6) if i != k])
    result = drift(one, other, np.array([1.0, 2.0, 4.0]))
    assert result.relative == pytest.approx(np.sqrt(moved / unrelated))
    rms = np.sqrt(((one - other) ** 2).mean(axis=0))
    np.testing.assert_allclose(result.per_latent_shift, rms / [1, 2, 4])
    assert from_json(Drift, to_json(result), "measures.json") == result
    assert mean_relative({"a": result, "b": drift(one, one)}) == pytest.approx(result.relative / 2)


def test_features_of_an_agent_on_pixels_drift_too(tmp_path: Path):
    agent = hasty_agent(tmp_path / "agent", 0)
    (result,) = feature_drift(agent, TASK, states=4).values()
    assert len(result.per_latent_shift) == 512
    assert 0 < result.relative < 1.5


def test_what_cannot_be_compared_is_refused():
    with pytest.raises(InputError, match="has no factors or is of a world that is not paired"):
        latent_drift(MeanColor(blind=True), short_task(), states=4)
    with pytest.raises(InputError, match="at least 2"):
        render_pairs(TASK.source, TASK.targets[TARGET], 1, 0)
    with pytest.raises(InputError, match="one shape"):
        drift(np.zeros((3, 2)), np.zeros((3, 3)))
    with pytest.raises(InputError, match="finite"):
        drift(np.full((3, 2), np.nan), np.zeros((3, 2)))
