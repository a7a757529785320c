"""The commands, a module per group; `cli` puts them in order."""
