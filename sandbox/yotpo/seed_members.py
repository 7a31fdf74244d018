"""Members of the demo shop. All are invented: example.com, and numbers kept for fiction."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class SeedMember:
    """`balance` and `earned` in points; the history that leads there is made up by `seed`.

    `moves` are further movements as (kind, points, title): refunds count against `earned` too.
    """

    email: str | None
    first: str | None
    last: str | None
    phone: str | None = None
    balance: int = 0
    earned: int = 0
    orders: int = 1
    moves: tuple[tuple[str, int, str], ...] = ()
    expires: tuple[int, int] | None = None  # days from now, points
    more: dict[str, Any] = field(default_factory=dict)


CLUB = {"tags": "birthday-club"}
OUT = {"opted_in": False, "opted_in_at": None}
LONG_FIRST = "Maximiliana Wilhelmina Bartholomea Konstantina"
LONG_LAST = "Featherstonehaugh-Cholmondeley von Hohenzollern-Sigmaringen"

MEMBERS = (
    SeedMember(
        "mara@example.com",
        "Mara",
        "Quill",
        "+14155550123",
        balance=640,
        earned=1840,
        orders=6,
        expires=(75, 200),
        more={"third_party_id": "C-7781", "pos_account_id": "POS-22", "birth_day": 17}
        | {"birthday_month": 4, "birthday_year": 1990, "has_account": True},
    ),
    SeedMember("ruth@example.com", "Ruth", "Okafor", "+12125550101", 25_000, 31_000, 24),
    SeedMember("pia@example.com", "Pia", "Lindqvist", "+13125550102", 12, 12, 1),
    SeedMember("zed@example.com", "Zed", "Marlow", "+16175550103", 0, 0, 0),
    SeedMember(
        "nell@example.com",
        "Nell",
        "Harbor",
        "+12065550104",
        balance=-85,
        earned=415,
        orders=3,
        moves=(("refund", -85, "Refunded an order"),),
    ),
    SeedMember("bea@example.com", "Bea", "Bronson", "+13035550105", 510, 510, 3),
    SeedMember("gus@example.com", "Gus", "Golding", "+15125550106", 1_275, 3_075, 9),
    SeedMember("petra@example.com", "Petra", "Platt", "+13055550107", 4_400, 14_400, 18),
    SeedMember("newton@example.com", "Newton", "Firth", "+15035550108", 60, 60, 1),
    SeedMember(
        "ella@example.com",
        "Ella",
        "Fading",
        "+16025550109",
        balance=820,
        earned=1_020,
        orders=4,
        moves=(("expiry", -200, "Points expired"),),
        expires=(6, 450),
    ),
    SeedMember("otto@example.com", "Otto", "Stillman", "+17025550110", 700, 700, 3, more=OUT),
    SeedMember("june.carter@example.com", "June", "Carter", "+19195550111", 330, 330, 2),
    SeedMember("theo.carter@example.com", "Theo", "Carter", "+19195550111", 905, 905, 4),
    SeedMember("nora@example.com", "Nora", "Fonless", None, 550, 550, 3),
    SeedMember(None, "Phil", "Mailless", "+14045550112", 1_150, 1_150, 4),
    SeedMember("max@example.com", LONG_FIRST, LONG_LAST, "+16465550113", 960, 1_960, 5),
    SeedMember("bo@example.com", "Bo", "Li", "+14155550114", 505, 505, 2),
    SeedMember("cher@example.com", "Cosima", None, "+13235550115", 2_250, 2_750, 8),
    SeedMember("layla@example.com", "ليلى", "الحداد", "+13135550116", 1_310, 1_810, 6),
    SeedMember("noam@example.com", "נועם", "לוי", "+17185550117", 495, 495, 3),
    SeedMember("yuki@example.com", "由紀", "田中", "+18085550118", 2_600, 2_600, 7),
    SeedMember("anya@example.com", "Аня", "Соколова", "+17735550119", 745, 745, 3),
    SeedMember("eleni@example.com", "Ελένη", "Παππά", "+16195550120", 1_015, 1_515, 4),
    SeedMember("siobhan@example.com", "Siobhán", "O'Dea", "+16175550121", 880, 1_380, 5, more=CLUB),
    SeedMember("tom@example.com", 'Tom & "Jerry"', "<b>", "+12135550122", 615, 615, 2),
    SeedMember("imogen@example.com", "Imogen", "Vale", "+442079460123", 1_420, 1_420, 5),
    SeedMember("pascal@example.com", "Pascal", "Renard", "+33199005678", 560, 560, 2),
    SeedMember(
        "kit@example.com",
        "Kit",
        "Counter",
        "+14805550124",
        balance=1_000,
        earned=1_500,
        orders=4,
        more={"pos_account_id": "POS-31", "third_party_id": "C-8042"},
    ),
    SeedMember("hana@example.com", "Hana", "Longlist", "+15305550125", 3_215, 9_715, 60),
    SeedMember("bert@example.com", "Bert", "Baker", "+12165550126", 400, 900, 3, more=CLUB),
    SeedMember("ada@example.com", "Ada", "Exact", "+16515550127", 500, 500, 2),
)
