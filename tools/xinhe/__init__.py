"""Parts of `tools/make_xinhe.py`, which draws the bundled demonstration district."""
