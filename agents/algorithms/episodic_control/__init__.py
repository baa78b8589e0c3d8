"""Model-free episodic control (Blundell et al. 2016): the algorithm, its memory and its policy.

`mfec.py` holds settings and presets, and registers it; `algorithm.py` is the class that is trained.
"""

from darla.agents.algorithms.episodic_control.mfec import MFECSettings

__all__ = ["MFECSettings"]
