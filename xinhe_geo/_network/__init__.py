"""Inside of `network`: streets as arrays, made from files, attached to, searched."""
