"""What stages write while they work: TensorBoard's event files, and the same to a tracker of experiments."""
