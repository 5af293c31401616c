"""Training a split network, its references, and how well they segment."""
