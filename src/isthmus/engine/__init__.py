"""The engine: observe, plan, apply; leases, journal, drift."""
