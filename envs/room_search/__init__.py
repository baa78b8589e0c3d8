"""Search rooms for what an instruction names."""
