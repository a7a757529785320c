"""Sheets, atlas, slides and Word: what is printed or edited, by matplotlib and the office formats."""
