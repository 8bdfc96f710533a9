"""The driver of HTCondor pools that exist already, reached by SSH to a submit machine."""
