"""The local site against real Docker and real Podman."""
