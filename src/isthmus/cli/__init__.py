"""The command line: thin, over HTTP, and quick to start (nothing heavy is imported before it is needed)."""
