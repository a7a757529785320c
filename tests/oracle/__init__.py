"""The second engine: written from the documents, sharing no line with the library, to be compared with it."""
