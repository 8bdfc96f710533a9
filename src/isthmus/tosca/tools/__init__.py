"""What is done with templates and topologies beside deploying them: JSON, pictures, formatting."""
