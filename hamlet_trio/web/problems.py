"""Errors over HTTP: problem documents (RFC 9457) with a stable `code`."""

from http import HTTPStatus
from typing import Final

import msgspec
from msgspec import UNSET, Struct, UnsetType
from quart import Response

PROBLEM_TYPE: Final = "application/problem+json"


class Problem(Struct, frozen=True):
    """One error: `title` names the status, `code` is stable, `detail` says what to do in one sentence.

    `field` is the query parameter it is about, where it is about one.
    """

    status: int
    title: str
    code: str
    detail: str
    type: str = "about:blank"
    field: str | UnsetType = UNSET


def problem_document(status: int, code: str, detail: str, field: str | None = None) -> bytes:
    """The document's JSON."""
    phrase = HTTPStatus(status).phrase
    return msgspec.json.encode(Problem(status, phrase, str(code), detail, field=field or UNSET))


class ProblemResponse(Response):
    """An answer that carries a problem document; `code` is the document's, for whoever counts them."""

    code: str


def problem(
    status: int, code: str, detail: str, *, field: str | None = None, **headers: str
) -> ProblemResponse:
    """The answer that carries it; a header `retry_after` becomes `Retry-After`."""
    document = problem_document(status, code, detail, field)
    response = ProblemResponse(document, status, content_type=PROBLEM_TYPE)
    response.code = code
    for name, value in headers.items():
        response.headers[name.replace("_", "-").title()] = value
    return response
