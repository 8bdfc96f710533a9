"""Types, what they define, and what values may be."""
