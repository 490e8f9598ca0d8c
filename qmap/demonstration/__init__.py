"""Reinforcement learning from one demonstration.

Episodes begin from states along a demonstration, near its end at first; the start moves back as
soon as enough of the rollouts from it score as well as the demonstration did from there (Salimans
and Chen 2018, arXiv 1812.03381). The policy is recurrent and learned by PPO.
"""
