"""Behaviors that learn nothing: what an agent that learns has to be better than."""
