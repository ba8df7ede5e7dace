"""Match-action tables of the interpreter: entries, indexes by match kind, learners, action profiles,
value sets.
"""
