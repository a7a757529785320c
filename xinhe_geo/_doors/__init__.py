"""Inside of `sources`: files and downloads into a district folder, never half-done."""
