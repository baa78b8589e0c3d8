"""The latent explorer: a page with a slider for each latent, from a local server or inside a report."""
