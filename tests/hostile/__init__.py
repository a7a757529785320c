"""Broken and hostile files, each made by code."""
