"""How fast this machine does each kind of work, kept from run to run, for the expected time of the next."""
