"""Integration tests of the sites, against real counterparts."""
