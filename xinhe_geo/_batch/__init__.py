"""Inside of `batch`: what only many districts show, and its page."""
