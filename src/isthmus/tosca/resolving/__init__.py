"""From node templates to the nodes of a topology: inputs, requirements, operations."""
