"""Train a policy that is told what to search for, and write it to disk."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

from stable_baselines3.common.callbacks import BaseCallback
from stable_baselines3.common.logger import Logger

from darla.agents.algorithms.build import build
from darla.agents.algorithms.ppo import PPOSettings
from darla.agents.algorithms.registry import ALGORITHMS
from darla.agents.instructions.searches import EncodedSearches, EncodedSearchVecEnv
from darla.agents.instructions.told import Instructions
from darla.agents.policy_io import WEIGHTS, PolicyDescription, load_description, load_weights, save_description
from darla.agents.policy_io import save_weights as write_weights
from darla.common import Progress, seed_for
from darla.envs.image_data.rooms import Rooms
from darla.envs.worlds.room_search import ACTIONS

if TYPE_CHECKING:
    from stable_baselines3.common.policies import ActorCriticPolicy

SETTINGS = PPOSettings(
    n_envs=32, n_steps=64, batch_size=512, n_epochs=4, learning_rate=1e-3, gamma=0.95, net_arch=(128, 128)
)
"""The same for every policy. Searches take 3 to 40 steps, so 0.95 looks far enough ahead."""


class _Advance(BaseCallback):
    """Shows how far training is."""

    def __init__(self, progress: Progress) -> None:
        super().__init__()
        self._progress = progress

    def _on_step(self) -> bool:
        return True

    def _on_rollout_end(self) -> None:
        self._progress.update(SETTINGS.rollout_steps)


def learn_to_follow(
    searches: EncodedSearches, instructions: Instructions, told: str, steps: int, seed: int, folder: Path, label: str
) -> "ActorCriticPolicy":
    """Train a policy with PPO, and write `policy.json` and `policy.safetensors`.

    Args:
        searches: that it is trained in.
        instructions: that they follow.
        told: what it is told of them, in `TOLD`.
        steps: environment steps, rounded up to whole rollouts.
        seed: of the searches that are drawn and of the policy's weights.
        folder: to write; made if it is not there.
        label: of the progress line.
    """
    env = EncodedSearchVecEnv(searches, instructions, told, SETTINGS.n_envs, seed_for(seed, "training"))
    model: Any = build("ppo", SETTINGS, env, seed_for(seed, "policy"))
    model.set_logger(Logger(None, []))  # SB3's own leaves an empty folder among the temporary files
    with Progress(steps, label) as progress:
        model.learn(steps, callback=_Advance(progress))
    save_description(
        folder,
        PolicyDescription(
            algorithm="ppo",
            observation="state",
            architecture=ALGORITHMS["ppo"].architecture(SETTINGS),
            image_shape=Rooms.image_shape,
            n_actions=len(ACTIONS),
            frame_stack=1,
            latent_dim=int(env.observation_space.shape[0]),  # type: ignore[index]  # of a Box
            encoder=None,
            precision=None,
            exploration=0.0,
            env_steps=int(model.num_timesteps),
            snapshot_steps=(int(model.num_timesteps),),
            vision=None,
        ),
    )
    write_weights(folder / WEIGHTS, model.policy)
    policy: ActorCriticPolicy = model.policy
    return policy


def load_follower(folder: Path) -> "ActorCriticPolicy":
    """Load a policy that `learn_to_follow` has written.

    Raises:
        ArtefactError: it is not there, or damaged.
    """
    policy: Any = load_description(folder).build()
    load_weights(folder / WEIGHTS, policy)
    loaded: ActorCriticPolicy = policy.eval()
    return loaded
