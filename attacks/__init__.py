"""Attacks that ship with leakaudit: one file each, found through entry points.

What they are made of lies in folders beside them; an attack of your own may use it as they do:

- :mod:`.parts`: messages, decoders, priors and effort, of which every strong attack needs some.
- :mod:`.simulation`: encoders, servers and trainings of the adversary's own.
- :mod:`.matching`: images changed until they explain features or gradients that were seen.
- :mod:`.masks`: masks read off the gradients that came back to a party.
"""
