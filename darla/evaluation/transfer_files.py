"""What a transfer artefact holds: its kind, its files, and the entries of its card."""

TRANSFER = "transfer"
"""Kind of the artefact."""
EPISODES, SCORES, CURVES, STRIPS = "episodes.csv", "scores.json", "curves.csv", "strips"
AGENT_PATHS = "agent_paths"
"""Entry of a transfer's card: by digest where each agent lay, relative to the transfer."""
