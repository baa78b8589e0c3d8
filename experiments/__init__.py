"""Presets and studies: which stages, models, tasks and seeds, as data."""
