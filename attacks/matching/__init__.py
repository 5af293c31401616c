"""What guesses are changed by, until they would have caused what was seen; the loop is a part.

- :mod:`.features`: images, until their features match those that were sent.
- :mod:`.gradients`, :mod:`.images`: images, until their gradients match a weight update; solver and
  problem apart.
- :mod:`.lbfgs`: many small problems at once, each with a curvature of its own.
- :mod:`.smoothing`: networks without kinks, so that gradients can be matched through them.
- :mod:`.grey_values`: brightness and contrast, where only structure was found.
"""
