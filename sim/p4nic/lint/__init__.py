"""What an artifact will do wrongly, or why it will not load, on a target that is not p4nic."""
