"""The local site without an engine."""
