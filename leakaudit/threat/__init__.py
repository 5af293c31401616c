"""The threat model: adversaries, what each may see, and what an attack is.

:class:`.attack.Attack` turns a :class:`.view.View` into a :class:`.attack.Guess` for each
:class:`.target.Target`; what a view shows follows from an :class:`.knowledge.Adversary` and its
:class:`.knowledge.Knowledge`.
"""
