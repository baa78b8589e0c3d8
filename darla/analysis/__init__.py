"""What an encoder does with a change of domain, and how its measures go with transfer."""
