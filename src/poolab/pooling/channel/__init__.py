"""Methods across channels: a map becomes one of fewer channels and the same size."""
