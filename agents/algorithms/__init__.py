"""Learning algorithms: one file each, and a registry of all."""
