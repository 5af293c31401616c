"""Cells: train, attack, hold guesses against the truth, leave the result in a folder."""
