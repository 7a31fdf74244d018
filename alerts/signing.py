"""How a receiver knows that a webhook is ours, fresh, and told for the first time."""

import hashlib
import hmac
import time

ID = "X-Loyalty-Panel-Id"
TIMESTAMP = "X-Loyalty-Panel-Timestamp"
SIGNATURE = "X-Loyalty-Panel-Signature"


def signed(secret: str, body: bytes, key: str) -> dict[str, str]:
    """The headers for this body. HMAC-SHA256 over the timestamp, a dot and the body as sent."""
    timestamp = str(int(time.time()))
    return {ID: key, TIMESTAMP: timestamp, SIGNATURE: f"v1={signature(secret, timestamp, body)}"}


def signature(secret: str, timestamp: str, body: bytes) -> str:
    return hmac.new(secret.encode(), f"{timestamp}.".encode() + body, hashlib.sha256).hexdigest()
