"""What the metrics share: checked input, estimators, probes, results."""
