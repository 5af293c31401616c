"""What strong attacks are made of; public, for attacks of anybody's.

An attack that asks once and decodes by a small network finds less than an adversary would, and its
silence says nothing. What made the attacks here stronger is kept one part to a module, so that a
new one starts from it:

- :mod:`.messages`: what was sent, beside what auxiliary images would have sent; averages over
  epochs what noise hides, or reads the one epoch that tells most (:mod:`.epochs`).
- :mod:`.conditioning`: undoes fixed patterns and rescaled or squashed channels
  (:mod:`.squashing`), so that a decoder need not learn to.
- :mod:`.undoing`: finds short chains that undo a code, rehearsed on queries; :mod:`.portfolio`
  takes one only where linear decoders then err clearly less.
- :mod:`.linear`: the best linear decoder, in closed form; no optimiser can miss it.
- :mod:`.whole`: a linear map of whole messages, for what was moved about in space.
- :mod:`.decoder`, :mod:`.training`, :mod:`.decoding`: a network for what the linear decoder leaves
  over, trusted as far as held-out patients advise; :func:`.decoding.decode` does all of it, and
  :class:`.decoder_attack.DecoderAttack` brings the settings.
- :mod:`.examples`: altered copies of auxiliary images, for whoever may ask the victim's encoder.
- :mod:`.in_clear`: messages that are pictures already.
- :mod:`.descent`: the loop that changes a guess until it would have caused what was seen.
- :mod:`.priors`: what images are like before any message is looked at.
- :mod:`.blocks`: images as blocks of pixels, one per feature position.
- :mod:`.effort`: how much is spent, and the points of an effort curve. Without a curve that is flat
  an audit says "inconclusive", never "none shown".
"""
