"""How many bytes travel, compressed and without headers."""

import re

import requests

# What a browser asks for over https.
ENCODINGS = {"Accept-Encoding": "gzip, br"}
ASKED_FOR = re.compile(r'<(?:link|script)[^>]+(?:href|src)="([^"]+)"')


def first_load(panel: str, page: str) -> dict[str, int]:
    """Bytes of the panel's page and of each file that it asks for."""
    html = requests.get(panel + page, headers=ENCODINGS, timeout=30).text
    return {path: travelling("GET", panel + path) for path in (page, *ASKED_FOR.findall(html))}


def look_up(url: str, bearer: str, mail: str) -> int:
    headers = {"Authorization": f"Bearer {bearer}", "HX-Request": "true"}
    return travelling("POST", url, data={"query": mail}, headers=headers)


def travelling(
    method: str,
    url: str,
    data: dict[str, str] | None = None,
    headers: dict[str, str] | None = None,
) -> int:
    with requests.request(
        method, url, data=data, headers={**ENCODINGS, **(headers or {})}, timeout=30, stream=True
    ) as answer:
        answer.raise_for_status()
        return len(answer.raw.read(decode_content=False))
