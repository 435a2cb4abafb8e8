"""Pictures and pages about what was run."""
