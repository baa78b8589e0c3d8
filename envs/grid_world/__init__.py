"""A grid world: one or two squares on a plain ground, moved one cell at a time; every factor of an image is known."""
