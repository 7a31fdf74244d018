class PayloadDiffers(ValueError):
    """Something else was promised under this kind and key already."""


class UnderWay(Exception):
    """A worker is at this delivery at this moment: what comes of it is not known yet."""


class NotWanted(Exception):
    """Raised by a route's call, before anything was sent: nobody wants it told any more."""


class FencedOff(Exception):
    """Another worker has the delivery: this one sends nothing."""
