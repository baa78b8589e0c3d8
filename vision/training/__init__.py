"""Training of every vision model: the loop, batches, checkpoints, devices, monitoring."""
