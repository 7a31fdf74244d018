"""Keys for the till page of the demo's sandbox, in a file that nobody else may read."""

import json
import os
from contextlib import suppress
from pathlib import Path
from urllib.parse import urlsplit

from access.keys import ApiKey, Issued, LaunchSecret
from stores.loopback import is_loopback
from stores.models import Installation

LABEL = "demo till"


def equip(installation: Installation, file: Path, *, origin: str, panel_url: str) -> None:
    """Write what a till at `origin` needs, and let that page show the panel.

    Keys that the file has and that are live are kept, so that a till that is open goes on. Others
    are issued anew in the place of those of a file that was lost.
    """
    let_in(installation, origin)
    keys = kept(installation, file) or issued(installation)
    told = {"panel_url": panel_url, "installation": installation.id, **keys}
    write(file, json.dumps(told, indent=2))


def let_in(installation: Installation, origin: str) -> None:
    """The demo's ports shift: of this machine the newest till alone is let in."""
    others = [one for one in installation.origins if not is_loopback(urlsplit(one).hostname)]
    installation.origins = [*others, origin]
    installation.full_clean()
    installation.save(update_fields=["origins"])


def kept(installation: Installation, file: Path) -> dict[str, str] | None:
    """What the file has, if all of it still opens this installation."""
    names = ("launch_kid", "launch_secret", "api_key")
    try:
        told = json.loads(file.read_text())
        keys = {name: str(told[name]) for name in names}
    except (OSError, ValueError, TypeError, KeyError):
        return None
    launch = LaunchSecret.of_kid(keys["launch_kid"], installation.id)
    api_key = ApiKey.of_secret(keys["api_key"])
    is_live = launch is not None and launch.secret == keys["launch_secret"]
    is_ours = api_key is not None and api_key.installation_id == installation.id
    return keys if is_live and is_ours else None


def issued(installation: Installation) -> dict[str, str]:
    for kind in (LaunchSecret, ApiKey):
        make_room(kind, installation)
    launch = LaunchSecret.issue(installation, LABEL)
    return {
        "launch_kid": launch.kid,
        "launch_secret": launch.secret,
        "api_key": ApiKey.issue(installation, LABEL),
    }


def make_room(kind: type[Issued], installation: Installation, label: str = LABEL) -> None:
    """What was issued for a file that was lost goes; where two of others are live, the older."""
    live = kind._default_manager.filter(installation=installation, revoked_at=None)
    for row in live.filter(label=label):
        row.revoke()
    left = list(live.order_by("created_at"))
    if len(left) > 1:
        left[0].revoke()


def write(file: Path, text: str) -> None:
    """Whole or not at all, and never readable by others, not even for a moment."""
    file.parent.mkdir(parents=True, exist_ok=True)
    new = file.with_name(f"{file.name}.new")
    with suppress(FileNotFoundError):
        new.unlink()
    with os.fdopen(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as written:
        written.write(text)
    new.replace(file)
