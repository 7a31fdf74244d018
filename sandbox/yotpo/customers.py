"""Customer records: finding them, and the engine's create-or-update.

Source: "Fetch customer details" and "Create/update customer records" of the vendor's reference.
"""

from __future__ import annotations

from collections.abc import Mapping

from sandbox.clock import iso
from sandbox.messages import refuse, refuse_field
from sandbox.params import Params
from sandbox.yotpo import telling
from sandbox.yotpo.phones import as_e164
from sandbox.yotpo.store import Row, Work

# parameter -> column; the reference and older clients differ in the name of the external id.
FINDERS = {
    "customer_email": "email",
    "customer_id": "third_party_id",
    "customer_external_id": "third_party_id",
    "pos_account_id": "pos_account_id",
    "phone_number": "phone_number",
}


def sought(work: Work, params: Params) -> Row | None:
    """The readable customer that the parameters name; None if they name none. 404 if unknown."""
    for name, column in FINDERS.items():
        value = params.text(name)
        if value is not None:
            return _found_or_404(work, column, _comparable(name, value, params))
    return None


def needed(work: Work, params: Params) -> Row:
    customer = sought(work, params)
    if customer is None:
        raise refuse(422, "A customer identifier is needed")
    return customer


def _comparable(name: str, value: str, params: Params) -> str:
    if name == "customer_email":
        return value.lower()
    if name == "phone_number":
        return as_e164(value, params.text("country_iso_code")) or value
    return value


def _found_or_404(work: Work, column: str, value: str) -> Row:
    # A phone may be shared by a family: the engine returns one person, always the same.
    readable = f"SELECT * FROM customers WHERE {column} = ? AND readable_at <= ?"  # noqa: S608
    row = work.one(f"{readable} ORDER BY id LIMIT 1", value, work.true_seconds)
    if row is None:
        raise refuse(404, "Could not find customer")
    return row


def by_email(work: Work, email: str) -> Row | None:
    """Any customer, also one too new to be read."""
    return work.one("SELECT * FROM customers WHERE email = ?", email.strip().lower())


def by_shop_id(work: Work, shop_id: str | None) -> Row | None:
    return work.one("SELECT * FROM customers WHERE third_party_id = ?", shop_id)


def create(work: Work, fields: Mapping[str, object], *, at_once: bool = False) -> int:
    """Add a customer; unless `at_once`, it can be read only after the switched delay."""
    delay = 0 if at_once else work.switches.new_customer_delay_seconds
    defaults: dict[str, object] = {"opted_in": True, "opted_in_at": work.at}
    if fields.get("opted_in") is False:
        defaults["opted_in_at"] = None
    readable_at = work.true_seconds + delay
    stamps = {"created_at": work.at, "updated_at": work.at, "readable_at": readable_at}
    return work.insert("customers", **{**defaults, **stamps, **fields})


def upsert(work: Work, params: Params) -> None:
    """Create, update, or change the email of the customer whose `id` (the shop's) is given."""
    email = _valid_email(params.needed_text("email"))
    customer = _meant(work, params.text("id"), email)
    fields = {"email": email, **_given_fields(params)}
    check_free(work, customer, fields)
    if customer is None:
        telling.opted(work, create(work, _with_opt_in(work, None, fields)))
    else:
        changes = _with_opt_in(work, customer, fields)
        work.update("customers", customer["id"], updated_at=work.at, **changes)
        if bool(changes.get("opted_in", customer["opted_in"])) != bool(customer["opted_in"]):
            telling.opted(work, customer["id"])


def _meant(work: Work, shop_id: str | None, email: str) -> Row | None:
    return by_shop_id(work, shop_id) or by_email(work, email)


def _valid_email(text: str) -> str:
    local, _, domain = text.rpartition("@")
    if not local or "." not in domain or any(letter.isspace() for letter in text):
        raise refuse_field("email", "is invalid")
    return text.lower()


def _given_fields(params: Params) -> dict[str, object]:
    """Only what the call gives: what it leaves out stays as it is."""
    fields = {
        "third_party_id": params.text("id"),
        "first_name": params.text("first_name"),
        "last_name": params.text("last_name"),
        "phone_number": _given_phone(params),
        "pos_account_id": params.text("pos_account_id"),
        "has_account": params.flag("has_account"),
        "opted_in": params.flag("opted_in"),
        "opted_in_at": params.text("opted_in_at"),
        "tags": params.text("tags"),
    }
    return {name: value for name, value in fields.items() if value is not None}


def _given_phone(params: Params) -> str | None:
    text = params.text("phone_number")
    if text is None:
        return None
    phone = as_e164(text, params.text("country_iso_code"))
    if phone is None:
        raise refuse_field("phone_number", "is invalid")
    return phone


def check_free(work: Work, customer: Row | None, fields: Mapping[str, object]) -> None:
    """422 if another customer has the email or one of the outside ids."""
    own_id = customer["id"] if customer else 0
    for name in ("email", "third_party_id", "pos_account_id"):
        sql = f"SELECT 1 FROM customers WHERE {name} = ? AND id <> ?"  # noqa: S608
        if work.one(sql, fields.get(name), own_id):
            raise refuse_field(name, "has already been taken")


def _with_opt_in(work: Work, customer: Row | None, fields: dict[str, object]) -> dict[str, object]:
    """`opted_in` null leaves it to the account's rule, which here is "all customers"."""
    if customer is None:
        fields = {"opted_in": True, **fields}
    if fields.get("opted_in") and not (customer and customer["opted_in"]):
        fields = {"opted_in_at": iso(work.moment), **fields}
    return fields
