"""Inside of `siting`: the models, their exact solution, and single links as candidates."""
