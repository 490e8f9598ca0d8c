"""How fast the trainings are, and how fast the machine lets them be."""
