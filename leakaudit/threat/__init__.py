"""The threat model: adversaries, what each may see, and what an attack is."""
