"""Use a trained agent in a loop of your own, in any environment that shows images as its training did.

    python examples/06_agent_in_your_own_loop.py runs/darla/agent

Agents take batches: here one environment, so a batch of one.
"""

from pathlib import Path

import numpy as np
import tyro

from darla.agents import Agent
from darla.envs import make, tasks


def main(agent: tyro.conf.Positional[Path], task: str = "new_room", episodes: int = 3, seed: int = 0) -> None:
    """Play episodes in the source and in every target of a task.

    Args:
        agent: what `darla act` made.
        task: the transfer task.
        episodes: for each domain.
        seed: of the episodes and of the actions that are drawn.
    """
    policy = Agent.load(agent)
    played = tasks.get(task)
    for name, domain in {"source": played.source, **played.targets}.items():
        env = make(domain)
        rng = np.random.default_rng(seed)
        returns = []
        for episode in range(episodes):
            image, info = env.reset(seed=seed + episode)  # uint8 (height, width, 3)
            policy.reset(1)
            total, over = 0.0, False
            while not over:
                action = policy.act(image[None], deterministic=False, rng=rng, infos=[info])[0]
                image, reward, terminated, truncated, info = env.step(int(action))
                total += float(reward)
                over = terminated or truncated
            returns.append(total)
        env.close()
        print(f"{name:<32} mean return {np.mean(returns):6.2f} over {episodes} episodes")


if __name__ == "__main__":
    tyro.cli(main)
