"""The commands, one file for each thing that they are about; ``main`` puts them together."""
