"""One module per command of `p4nic`, and what they share (`common`, `entries_file`). Called by
`p4nic.__main__` alone.
"""
