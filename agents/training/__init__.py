"""Training an agent: from a configuration and an encoder to an artefact."""
