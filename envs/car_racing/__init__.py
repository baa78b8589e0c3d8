"""Gymnasium's CarRacing in other colors."""
