"""From an encoder and examples of concepts to a trained system, and how good it is."""
