"""The story: every figure and sentence of what is handed over, once, as data; documents only lay it out."""
