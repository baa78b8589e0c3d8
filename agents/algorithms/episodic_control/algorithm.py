"""Model-free episodic control (Blundell et al. 2016, https://arxiv.org/abs/1606.04460) as an algorithm of SB3."""

from dataclasses import dataclass, field
from typing import Any, ClassVar

import numpy as np
import torch
from gymnasium import spaces
from stable_baselines3.common.buffers import ReplayBuffer
from stable_baselines3.common.off_policy_algorithm import OffPolicyAlgorithm
from stable_baselines3.common.policies import BasePolicy
from stable_baselines3.common.type_aliases import GymEnv
from stable_baselines3.common.utils import LinearSchedule
from torch import Tensor

from darla.agents.algorithms.episodic_control.policy import EpisodicPolicy, RandomProjection
from darla.common import seed_for


@dataclass
class OngoingEpisode:
    """The steps of one environment since its last reset."""

    states: list[Tensor] = field(default_factory=list)
    """State before each step, float32 (D,)."""
    actions: list[int] = field(default_factory=list)
    rewards: list[float] = field(default_factory=list)
    final_value: float = 0.0
    """Value of the state after the last step; 0 if the episode has ended for good."""

    def returns(self, gamma: float) -> list[float]:
        """Return the discounted return of each step, R_t = r_t + gamma R_(t+1)."""
        value, returns = self.final_value, list[float]()
        for reward in reversed(self.rewards):
            value = reward + gamma * value
            returns.append(value)
        return returns[::-1]


class EpisodicControl(OffPolicyAlgorithm):
    """Takes the action with the highest return so far, and writes returns to a table at the end of each episode.

    There is no network and no gradient. The table is the policy's `EpisodicMemory`; a state is a code, or a random
    projection of an image. Between the ends of two episodes only the rate of exploration changes.

    Time-limited episodes are truncated, not terminated: with `bootstrap` their return continues with the value of the
    best action in their last state. Without it, as in the paper, it ends there. An episode that training cuts off, at
    its end or at the start of a new segment, is dropped.

    Args:
        policy: `EpisodicPolicy`, or SB3's names for a policy on vectors and on images.
        env: codes or images, discrete actions.
        learning_rate: 0; SB3 requires it of every algorithm.
        gamma: discount.
        bootstrap: whether the return of a truncated episode continues with the value of its last state.
        exploration_fraction: fraction of training over which the probability of a random action falls.
        exploration_initial_eps: probability of a random action at the beginning.
        exploration_final_eps: probability of a random action after that.
        policy_kwargs: `capacity`, `neighbors` and `projection` of the policy.
        verbose: as in SB3.
        seed: of the projection, exploration, ties and the environments.
        device: of the table.
    """

    policy_aliases: ClassVar[dict[str, type[BasePolicy]]] = {
        "MlpPolicy": EpisodicPolicy,
        "CnnPolicy": EpisodicPolicy,
    }
    policy: EpisodicPolicy

    def __init__(
        self,
        policy: str | type[EpisodicPolicy],
        env: GymEnv | str,
        learning_rate: float = 0.0,
        gamma: float = 0.99,
        bootstrap: bool = True,
        exploration_fraction: float = 0.1,
        exploration_initial_eps: float = 1.0,
        exploration_final_eps: float = 0.005,
        policy_kwargs: dict[str, Any] | None = None,
        verbose: int = 0,
        seed: int | None = None,
        device: torch.device | str = "auto",
        _init_setup_model: bool = True,
    ) -> None:
        super().__init__(
            policy,
            env,
            learning_rate,
            buffer_size=1,  # unused: episodes are kept in `_ongoing`, and only until their end
            learning_starts=0,
            gamma=gamma,
            train_freq=1,
            gradient_steps=1,
            policy_kwargs=policy_kwargs,
            verbose=verbose,
            seed=seed,
            device=device,
            sde_support=False,
            supported_action_spaces=(spaces.Discrete,),
            support_multi_env=True,
        )
        self.bootstrap = bootstrap
        self.exploration_schedule = LinearSchedule(exploration_initial_eps, exploration_final_eps, exploration_fraction)
        self.exploration_rate = exploration_initial_eps
        self._rng = np.random.default_rng(seed)
        if _init_setup_model:
            self._setup_model()

    def _setup_model(self) -> None:
        super()._setup_model()
        self.replay_buffer = None
        self._ongoing = [OngoingEpisode() for _ in range(self.n_envs)]
        self._finished: list[OngoingEpisode] = []
        if isinstance(self.policy.features_extractor, RandomProjection):
            seed = int(np.random.default_rng().integers(2**31)) if self.seed is None else self.seed
            self.policy.features_extractor.draw(torch.Generator().manual_seed(seed_for(seed, "projection")))

    def set_random_seed(self, seed: int | None = None) -> None:
        """Seed the environments, exploration and what SB3 draws from."""
        super().set_random_seed(seed)
        if seed is not None:
            self._rng = np.random.default_rng(seed)

    def predict(
        self,
        observation: np.ndarray[Any, Any] | dict[str, np.ndarray[Any, Any]],
        state: tuple[np.ndarray[Any, Any], ...] | None = None,
        episode_start: np.ndarray[Any, Any] | None = None,
        deterministic: bool = False,
    ) -> tuple[np.ndarray[Any, Any], tuple[np.ndarray[Any, Any], ...] | None]:
        """Choose actions: the most valuable one, or, in each environment independently, a random one (epsilon-greedy).

        Ties, which are common among untried actions, are broken at random; if `deterministic`, by the first.
        """
        if deterministic:
            return self.policy.predict(observation, state, episode_start, deterministic)
        tensor, vectorized = self.policy.obs_to_tensor(observation)
        values = self.policy.q_values(tensor).cpu().numpy()
        best = values == values.max(axis=1, keepdims=True)
        explores = self._rng.random((len(values), 1)) < self.exploration_rate
        # The argmax of uniform draws over the candidates, which are the best actions or all, is a uniform choice.
        actions = np.where(best | explores, self._rng.random(values.shape), -1.0).argmax(axis=1)
        return (actions if vectorized else actions[0]), state

    def _on_step(self) -> None:
        self.exploration_rate = self.exploration_schedule(self._current_progress_remaining)
        self.logger.record("rollout/exploration_rate", self.exploration_rate)

    def _store_transition(
        self,
        replay_buffer: ReplayBuffer,
        buffer_action: np.ndarray[Any, Any],
        new_obs: np.ndarray[Any, Any] | dict[str, np.ndarray[Any, Any]],
        reward: np.ndarray[Any, Any],
        dones: np.ndarray[Any, Any],
        infos: list[dict[str, Any]],
    ) -> None:
        """Add a step to the ongoing episode of each environment; called by SB3 after every vectorized step."""
        assert self._last_obs is not None
        assert self._last_episode_starts is not None
        with torch.no_grad():
            states = self.policy.embed(self.policy.obs_to_tensor(self._last_obs)[0])
        for index, state in enumerate(states):
            if self._last_episode_starts[index]:
                self._ongoing[index] = OngoingEpisode()
            episode = self._ongoing[index]
            episode.states.append(state)
            episode.actions.append(int(buffer_action[index]))
            episode.rewards.append(float(reward[index]))
            if dones[index]:
                if self.bootstrap and infos[index].get("TimeLimit.truncated", False):
                    episode.final_value = self._state_value(infos[index]["terminal_observation"])
                self._finished.append(episode)
        self._last_obs, self._last_episode_starts = new_obs, dones

    def _state_value(self, observation: np.ndarray[Any, Any]) -> float:
        """Return the highest finite action value of a state; 0 if every action is untried."""
        values = self.policy.q_values(self.policy.obs_to_tensor(observation)[0])
        finite = values[torch.isfinite(values)]
        return float(finite.max()) if len(finite) else 0.0

    def train(self, gradient_steps: int, batch_size: int = 1) -> None:
        """Write the finished episodes to the table, each from its last step to its first (algorithm 1)."""
        for episode in self._finished:
            returns = episode.returns(self.gamma)
            states = torch.stack(episode.states)
            self.policy.memory.update(states.flip(0), episode.actions[::-1], returns[::-1])
            self._n_updates += len(returns)
        if self._finished:
            self.logger.record("train/entries", sum(self.policy.memory.sizes))
            self.logger.record("train/n_updates", self._n_updates, exclude="tensorboard")
        self._finished = []

    def _excluded_save_params(self) -> list[str]:
        return [*super()._excluded_save_params(), "_ongoing", "_finished"]
