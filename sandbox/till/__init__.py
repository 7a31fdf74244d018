"""A till on the sandbox: a plausible little POS, with the panel in a frame beside the sale.

It stands apart from the engine's API: it reads the engine's records of codes and members as a
shop's own systems would, and speaks to the panel only as any POS does: over the bridge, by launch
tokens and by the JSON API.
"""
