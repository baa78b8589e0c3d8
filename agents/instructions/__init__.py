"""Policies that are told what to search for, by a concept's latents, by a raw symbol, or not at all."""
