"""Undo what a code did to messages before a decoder reads them, found by trying on queries.

A code that destroys nothing can still leave a decoder nothing it could learn: signs drawn anew, a
rotation per message, a decoy sent along. Each way of undoing is for a kind of code, not for one:

- :mod:`.invariants`: what a code leaves of a sample whatever it drew, and transforms over space.
- :mod:`.alignment`: turns back what was drawn anew, towards the typical message.
- :mod:`.together`: what channels, and the samples of one message, tell of each other.
- :mod:`.keys`: turns back by keys that are sent along.
- :mod:`.places`: puts back what a fixed transform moved about in space.
- :mod:`.words`: what a defense says itself of how its messages are undone.
- :mod:`.search`: short chains of these, chosen by what a closed-form reader tells of auxiliary
  patients left out. No attacked message enters the choice.
"""
