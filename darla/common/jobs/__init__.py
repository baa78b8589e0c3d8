"""Jobs: pieces of work that are done once, in processes of this machine or of a Ray cluster."""
