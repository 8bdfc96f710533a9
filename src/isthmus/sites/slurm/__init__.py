"""The driver of Slurm clusters that exist already, reached by SSH."""
