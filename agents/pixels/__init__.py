"""End-to-end policies of PPO in bfloat16: Stable-Baselines3's network and algorithm with faster arithmetic."""
