"""Playing agents in domains, and what follows from the table of episodes."""
