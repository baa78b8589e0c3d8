"""Speed, shown against a peer in the same run: `python -m benchmarks` runs those that need no other data or package."""
