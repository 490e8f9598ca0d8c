"""What a trained agent can do: its task, its sight, its ways to goals, and what it believes."""
