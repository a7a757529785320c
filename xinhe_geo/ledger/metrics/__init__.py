"""One record per way of measuring a target."""
