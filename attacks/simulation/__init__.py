"""Encoders, servers and trainings of the adversary's own, where the victims' may not be asked.

- :mod:`.stand_in`: a party's endpoint, as the split's description lets anybody build it.
- :mod:`.imitation`, :mod:`.simulators`: encoders that learn to send as the victims do.
- :mod:`.hijacking`: a dishonest server's gradients, which train an encoder towards its own.
- :mod:`.exchange`, :mod:`.server_tail`: the exchange played on the adversary's patients, and the
  server's end of it.
- :mod:`.reference_models`: networks that never saw a person, to compare the trained one with.
"""
