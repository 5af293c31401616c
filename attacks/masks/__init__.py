"""Masks read off the gradients that came back to a party.

- :mod:`.simulated_epochs`: the exchange as a party can play it, beside what it saw.
- :mod:`.inputs`, :mod:`.reader`: gradients as a network reads them, and the network.
- :mod:`.matching`: mask and server state, changed until their gradients match.
- :mod:`.of_own_patients`: masks of one's own patients and of the attacked alike, for other attacks.
"""
