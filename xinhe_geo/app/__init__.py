"""How people start it: the command line, batches of districts, notebooks."""

from .notebook import keep, sortable

__all__ = [
    "keep",
    "sortable",
]
