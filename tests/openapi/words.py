"""What the description can't say: who is a member, what the shop offers, what is read elsewhere."""

from typing import Any

CALL_SECONDS = 30
EMAILS = [f"walker.{number}@example.com" for number in range(6)]
PHONES = [f"+1212555011{number}" for number in range(6)]
FIVE_OFF = 90121

# Drawn from as often as BOUND says; else whatever the description allows, or does not.
WORDS: dict[str, list[Any]] = {
    "emails": [*EMAILS, "nobody.yet@example.com"],
    "phones": [*PHONES, "(212) 555-0199"],
    "offers": [FIVE_OFF, 90122, 90130, 90140],
    "points": [100, 500],
    "keys": [f"act-{number}" for number in range(2000)],
    "sales": [f"S-{number}" for number in range(40)],
    "tickets": [f"T-{number}" for number in range(5)],
    "stores": ["boston", "london"],
    "tills": ["1", "2"],
    "associates": ["ana", "ben"],
    "currencies": ["USD"],
    "moments": ["2026-11-21T09:41:00-05:00", "2026-11-21T14:41:00Z"],
    "cents": [0, 100, 4200],
}
BOUND: dict[str, tuple[str, float]] = {
    "body.email": ("emails", 0.8),
    "body.phone": ("phones", 0.8),
    "body.member.email": ("emails", 0.8),
    "body.member.phone": ("phones", 0.8),
    "body.offer_id": ("offers", 0.9),
    "body.points": ("points", 0.5),
    "body.id": ("sales", 0.5),
    "body.sale_id": ("sales", 0.8),
    "body.ticket": ("tickets", 0.7),
    "body.store": ("stores", 0.8),
    "body.till": ("tills", 0.8),
    "body.associate": ("associates", 0.8),
    "body.currency": ("currencies", 0.8),
    "body.completed_at": ("moments", 0.9),
    "body.total_cents": ("cents", 0.7),
    "header.Idempotency-Key": ("keys", 0.7),
    "query.ticket": ("tickets", 0.5),
    "path.pos_id": ("sales", 0.6),
    "path.member_id": ("member_ids", 0.8),
    "path.redemption_id": ("redemption_ids", 0.8),
}
CONFIG: dict[str, Any] = {
    "parameters": {
        place: {"dictionary": name, "probability": often} for place, (name, often) in BOUND.items()
    },
    # The key is ours; calls without one are asked for in tests/api.
    "generation": {"mode": "all", "database": "none", "with-security-parameters": False},
    "request-timeout": CALL_SECONDS,
    "checks": {
        # 503 is declared: the engine fails now and then.
        "not_a_server_error": {"expected-statuses": ["2xx", "4xx", "503"]},
        # Which of the 422s valid data may get is judged by REFUSED_ALTHOUGH_VALID.
        "positive_data_acceptance": {
            "expected-statuses": ["2xx", "404", "409", "422", "429", "503"]
        },
        "negative_data_rejection": {"expected-statuses": ["4xx", "503"]},
        "ignored_auth": {"enabled": False},
        # The engine shows a new member only after some seconds.
        "ensure_resource_availability": {"enabled": False},
    },
}

# What JSON Schema can't say, or not so that generated clients stay simple; docs/api.md says it.
REFUSED_ALTHOUGH_VALID = (
    "Give exactly one of",
    "Give each purpose once.",
    "There is no such day.",
    "Give a time between the years",
    "A reason has no control characters.",
    "Leave out the NUL or half of a surrogate pair",
    "Send next_cursor as it was given.",
    "Input should be a valid integer",  # 5.0, which JSON Schema takes for one
)
# Texts that are read elsewhere, by rules of their own.
READ_ELSEWHERE = {"email", "phone", "first_name", "last_name"}
