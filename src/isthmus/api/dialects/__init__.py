"""Dialects: adapters that speak another system's API over the same core, so that its stock clients work."""
