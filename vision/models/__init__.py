"""Vision models, one paper a file. Start with beta_vae.py and darla_vae.py; base.py says what they share."""
