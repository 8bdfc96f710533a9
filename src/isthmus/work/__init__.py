"""What people run on what is deployed: batch jobs, and what carries them out."""
