"""The kind of a transfer artefact, its files, and an entry of its card."""

TRANSFER = "transfer"
"""Kind of the artefact."""
EPISODES, SCORES, CURVES, STRIPS = "episodes.csv", "scores.json", "curves.csv", "strips"
CURVE_COLUMNS = ("method", "seed", "domain", "split", "env_steps", "episodes", "mean_return")
AGENT_PATHS = "agent_paths"
"""Entry of a transfer's card: by digest where each agent lies, relative to the transfer."""
