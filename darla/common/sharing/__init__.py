"""Artefacts on the Hugging Face hub."""
