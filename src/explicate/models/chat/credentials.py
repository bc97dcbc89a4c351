"""API keys: read from the environment, sent in one header, and shown nowhere."""

from __future__ import annotations

import os
from urllib.parse import urlsplit

from explicate.errors import InputError

VARIABLE = "EXPLICATE_API_KEY"
HIDDEN = "[API key]"


class Key:
    """A secret whose `repr` and pickle do not hold it.

    Parameters
    ----------
    value : the key itself; better leave it to the environment variable.
    variable : the environment variable that is read where no value is given.
    """

    def __init__(self, value: str | None, variable: str) -> None:
        self.variable = variable
        self._given = value is not None
        found = (os.environ.get(variable, "") if value is None else value).strip()
        if not (found.isascii() and found.isprintable() and " " not in found):
            raise InputError(f"the API key ({'given' if self._given else variable}) holds signs that no key has")
        self._value = found

    def __repr__(self) -> str:
        return f"Key({self.variable}, {'set' if self._value else 'not set'})"

    def __reduce__(self) -> tuple[type[Key], tuple[None, str]]:
        if self._given:
            raise InputError(f"a handle with an API key is not sent to other processes; set {self.variable} instead")
        return Key, (None, self.variable)

    def __bool__(self) -> bool:
        return bool(self._value)

    def reveal(self) -> str:
        """The key, for the header; some clients want one also where none is needed."""
        return self._value or "none"

    def hide(self, text: str) -> str:
        """`text` with the key taken out, as endpoints like to repeat it in their errors."""
        return text.replace(self._value, HIDDEN) if self._value else text


def checked_address(url: str) -> str:
    """The base URL of an endpoint without a final slash; one that holds a user, a password or a query is refused."""
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise InputError("an endpoint's address starts with http:// or https:// and names a host")
    if parts.username is not None or parts.password is not None or parts.query:
        raise InputError(
            f"the address of {parts.hostname} holds a user, a password or a query; addresses are written to logs: "
            f"put the key into the environment variable {VARIABLE}"
        )
    return f"{parts.scheme}://{parts.netloc}{parts.path.rstrip('/')}"


def variable_for(address: str) -> str:
    """The environment variable that holds the key: OpenAI's own for its host, ours for all others."""
    return "OPENAI_API_KEY" if urlsplit(address).hostname == "api.openai.com" else VARIABLE
