"""What an associate typed: an email address, or a phone number in any usual form."""

import re
from dataclasses import dataclass

import phonenumbers
from email_validator import EmailNotValidError, validate_email
from phonenumbers import PhoneNumberFormat, ValidationResult

# The longest address that mail can be sent to (RFC 5321), and more than any phone number.
LONGEST = 254
PHONE_CHARACTERS = re.compile(r"[\d\s()+\uff0b./\-\u2010-\u2015]+")
BETWEEN_DIGITS = r"[\s()./\-\u2010-\u2015]*"
# 13 to 19 digits, in groups or not (ISO/IEC 7812).
CARD = re.compile(rf"(?<!\d)\d(?:{BETWEEN_DIGITS}\d){{12,18}}(?!{BETWEEN_DIGITS}\d)")


class Unreadable(ValueError):
    """What was typed cannot be looked up. The text tells the associate what to do."""


class Incomplete(Unreadable):
    """The beginning or the end of a number is missing."""


class CardNumber(Unreadable):
    """A payment card's number: it must not be kept, repeated or sent anywhere."""


@dataclass(frozen=True, slots=True)
class Email:
    address: str


@dataclass(frozen=True, slots=True)
class Phone:
    """E.164, such as +14155550123."""

    number: str


Identity = Email | Phone


def read_identity(text: str, region: str) -> Identity:
    """Read an email address or a phone number; `region` is an ISO 3166 code such as US.

    Raises Unreadable, Incomplete or CardNumber with a text for the associate.
    """
    text = text.strip()
    if not text:
        raise Unreadable("Type an email address or a phone number.")
    if len(text) > LONGEST:
        raise Unreadable("That is too long for an email address or a phone number.")
    if "@" in text:
        return Email(read_email(text))
    if not PHONE_CHARACTERS.fullmatch(text):
        refuse_card(text)
        raise Unreadable(
            "That is neither an email address nor a phone number. "
            "An email address has an @; a phone number has only digits."
        )
    return Phone(read_phone(text, region))


def read_email(text: str) -> str:
    """A deliverable-looking address, as typed but for its domain's case and outer spaces.

    Raises Unreadable. Nothing is asked of the network.
    """
    text = text.strip()
    if not text:
        raise Unreadable("Type an email address.")
    if len(text) > LONGEST:
        raise Unreadable("That is too long for an email address.")
    try:
        return validate_email(text, check_deliverability=False).normalized
    except EmailNotValidError:
        raise Unreadable(
            "That email address is not complete. It looks like name@example.com."
        ) from None


def read_phone(text: str, region: str) -> str:
    """The number in E.164.

    Possible numbers are enough: the reserved example numbers 555-01xx are never valid ones.
    Raises Unreadable, Incomplete or CardNumber.
    """
    if len(text) > LONGEST:
        raise Unreadable("That is too long for a phone number.")
    number = parse_phone(text, region)
    if number is None:
        refuse_card(text)
        raise Unreadable("That is not a phone number. Type it as (415) 555-0100.")
    verdict = phonenumbers.is_possible_number_with_reason(number)
    if verdict == ValidationResult.IS_POSSIBLE and reads_as_itself(number):
        return phonenumbers.format_number(number, PhoneNumberFormat.E164)
    refuse_card(text)
    if verdict in {ValidationResult.IS_POSSIBLE_LOCAL_ONLY, ValidationResult.TOO_SHORT}:
        raise Incomplete("That phone number is incomplete: add the area code.")
    raise Unreadable("That phone number has too many digits or too few. Check it and try again.")


def reads_as_itself(number: phonenumbers.PhoneNumber) -> bool:
    """A row of zeros loses one each time that it is read: it would be found under no number."""
    if not number.italian_leading_zero:
        return True
    written = phonenumbers.format_number(number, PhoneNumberFormat.E164)
    return bool(phonenumbers.parse(written) == number)


def parse_phone(text: str, region: str) -> phonenumbers.PhoneNumber | None:
    """The number in the text, if it is nothing else: the library would also read words and
    extensions."""
    if not PHONE_CHARACTERS.fullmatch(text):
        return None
    try:
        return phonenumbers.parse(text, region)
    except phonenumbers.NumberParseException:
        return None


def refuse_card(text: str) -> None:
    """Raises CardNumber where the text has a number that could be a payment card's."""
    if any(passes_luhn(run) for run in CARD.findall(text)):
        raise CardNumber(
            "That looks like a payment card. Nothing was kept. "
            "Type an email address or a phone number."
        )


def passes_luhn(text: str) -> bool:
    """The check digit of ISO/IEC 7812: every second digit from the right is doubled."""
    digits = [int(character) for character in text if character.isdecimal()]
    total = 0
    for place, digit in enumerate(reversed(digits)):
        value = digit * (1 + place % 2)
        total += value - 9 if value > 9 else value
    return total % 10 == 0


def email_identity(address: str) -> str:
    """What makes two addresses the same person: trimmed and lower-case, no more."""
    return address.strip().lower()
