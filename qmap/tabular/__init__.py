"""Learning without networks: a table with the values of the actions on every screen seen."""
