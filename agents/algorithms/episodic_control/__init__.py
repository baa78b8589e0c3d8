"""Model-free episodic control (Blundell et al. 2016): the algorithm, its memory and its policy."""
