"""Launch tokens: who acts at this till, signed for the panel (HS256), for a minute and one use."""

from __future__ import annotations

import time
import uuid

import jwt

from sandbox.till.goods import STORE, TILL, Clerk
from sandbox.till.keys import Keys

LIVES_SECONDS = 60


def launch_token(keys: Keys, clerk: Clerk, sale: str) -> str:
    now = int(time.time())
    claims = {
        "iss": keys.installation,
        "aud": keys.panel_origin,
        "sub": clerk.id,
        "name": clerk.name,
        "role": clerk.role,
        "store": STORE,
        "till": TILL,
        "sale": sale,
        "iat": now,
        "nbf": now,
        "exp": now + LIVES_SECONDS,
        "jti": uuid.uuid4().hex,
    }
    headers = {"kid": keys.launch_kid}
    return jwt.encode(claims, keys.launch_secret, algorithm="HS256", headers=headers)
