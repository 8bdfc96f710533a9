"""From files to documents: bundles and archives, YAML with its places, imports."""
