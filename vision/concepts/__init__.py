"""Concepts: symbols over named attributes, associated with the latents of an encoder (SCAN), one paper a file."""
