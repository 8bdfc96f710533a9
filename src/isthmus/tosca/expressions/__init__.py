"""Functions, values under their types, conditions."""
