"""Masks read off gradients.

- :mod:`.at_head`: off those that a label holder sent back, by their sign.
- :mod:`.simulated_epochs`: off those that came back to a party: the exchange as it can play it,
  beside what it saw.
- :mod:`.inputs`, :mod:`.reader`: gradients as a network reads them, and the network.
- :mod:`.matching`: mask and server state, changed until their gradients match.
- :mod:`.of_own_patients`: masks of one's own patients and of the attacked alike, for other attacks.
"""
