"""Groups, policies and workflows: checked, and told."""
