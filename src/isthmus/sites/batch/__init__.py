"""What drivers of batch systems share: the way to a site, and the agent there that does what a driver is asked."""
