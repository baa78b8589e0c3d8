"""From frames to an encoder artefact, and from an artefact to codes."""
