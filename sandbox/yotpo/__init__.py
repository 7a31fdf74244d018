"""The loyalty engine's own state and rules (Yotpo Loyalty API v2, as far as a till needs it).

What the vendor documents is done as documented; what is not documented follows one default each,
most of them switchable (`sandbox.switches`). Parts hang together by `Work`: the open transaction.
"""
