"""Inside of `maps`: house style, base map, themes, and the live map, as pages that load nothing."""
