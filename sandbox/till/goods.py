"""What Quill & Thread sells, who sells it, and where. Prices in cents of `CURRENCY`."""

from __future__ import annotations

from dataclasses import dataclass

CURRENCY = "USD"
STORE, TILL = "boston", "1"
PLACE = "Harbor Street, Boston · Till 1"


@dataclass(frozen=True)
class Product:
    sku: str
    name: str
    cents: int
    shelf: str
    picture: str


@dataclass(frozen=True)
class Clerk:
    """`role` as launch tokens name it."""

    id: str
    name: str
    role: str = "associate"


BOOKS, PAPER, THREAD, GIFTS = "Books", "Paper & ink", "Thread & yarn", "Gifts"
SHELVES = (BOOKS, PAPER, THREAD, GIFTS)
PRODUCTS = {
    product.sku: product
    for product in (
        Product("BK-TIDE", "The Tide Clerk", 1_800, BOOKS, "book"),
        Product("BK-LANTERN", "Lantern Street", 1_650, BOOKS, "book"),
        Product("BK-ALMANAC", "Salt & Almanac", 2_400, BOOKS, "book"),
        Product("BK-STITCH", "A Year of Stitches", 3_200, BOOKS, "open-book"),
        Product("BK-BIRDS", "Birds of the Yard", 2_100, BOOKS, "open-book"),
        Product("BK-MARK", "Leather bookmark", 750, BOOKS, "bookmark"),
        Product("PN-NOTE", "Dot-grid notebook", 1_400, PAPER, "notebook"),
        Product("PN-PEN", "Brass fountain pen", 4_800, PAPER, "pen"),
        Product("PN-INK", "Ink, midnight blue", 1_250, PAPER, "ink"),
        Product("PN-CARDS", "Letterpress cards", 1_500, PAPER, "card"),
        Product("PN-SEAL", "Wax seal kit", 2_600, PAPER, "seal"),
        Product("PN-WASHI", "Washi tape trio", 900, PAPER, "tape"),
        Product("TH-MERINO", "Merino yarn, sage", 1_100, THREAD, "yarn"),
        Product("TH-LINEN", "Linen thread, 8 spools", 1_950, THREAD, "spool"),
        Product("TH-HOOP", "Embroidery hoop", 850, THREAD, "hoop"),
        Product("TH-NEEDLE", "Needle case", 1_300, THREAD, "needle"),
        Product("TH-SHEARS", "Stork scissors", 1_700, THREAD, "scissors"),
        Product("TH-BUTTON", "Mixed buttons", 600, THREAD, "button"),
        Product("MUG-ENAMEL-01", "Enamel mug", 1_600, GIFTS, "mug"),
        Product("GF-TOTE", "Canvas tote bag", 1_200, GIFTS, "tote"),
        Product("GF-CANDLE", "Library candle", 2_200, GIFTS, "candle"),
        Product("GF-TEA", "Reading tea", 1_000, GIFTS, "tea"),
        Product("GF-SAMPLER", "Sampler kit", 3_400, GIFTS, "hoop"),
        Product("GF-WRAP", "Gift wrapping", 400, GIFTS, "gift"),
    )
}
CLERKS = {
    clerk.id: clerk
    for clerk in (
        Clerk("ana", "Ana Pardo"),
        Clerk("ben", "Ben Okafor"),
        Clerk("mel", "Mel Sato", "manager"),
    )
}
# On the first sale of a fresh till, so that a visitor sees a coupon change something.
FIRST_SALE = ("BK-STITCH", "TH-MERINO")
