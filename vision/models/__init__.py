"""Vision models, one paper a file. Start with darla_vae.py and beta_vae.py."""
