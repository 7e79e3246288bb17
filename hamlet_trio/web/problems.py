"""Errors over HTTP: problem documents (RFC 9457) with a stable `code`."""

from http import HTTPStatus
from typing import Annotated, Final

from msgspec import UNSET, Meta, Struct, UnsetType
from quart import Response

from hamlet_trio.common.encoding import to_json

PROBLEM_TYPE: Final = "application/problem+json"


class Problem(Struct, frozen=True):
    """An error over HTTP (RFC 9457)."""

    status: Annotated[int, Meta(description="status code of the response")]
    title: Annotated[str, Meta(description="phrase of the status")]
    code: Annotated[str, Meta(description="stable code for programs: see the table of error codes")]
    detail: Annotated[str, Meta(description="one sentence that says what to do")]
    type: Annotated[str, Meta(description="always `about:blank`")] = "about:blank"
    field: Annotated[str | UnsetType, Meta(description="query parameter at fault, where it is one")] = UNSET


def problem_document(status: int, code: str, detail: str, field: str | None = None) -> bytes:
    """Return the JSON of a problem document."""
    phrase = HTTPStatus(status).phrase
    return to_json(Problem(status, phrase, str(code), detail, field=field or UNSET))


class ProblemResponse(Response):
    """A response that carries a problem document; `code` repeats the document's, to be counted."""

    code: str


def problem(
    status: int, code: str, detail: str, *, field: str | None = None, **headers: str
) -> ProblemResponse:
    """Return a response with a problem document; a header `retry_after` becomes `Retry-After`."""
    document = problem_document(status, code, detail, field)
    response = ProblemResponse(document, status, content_type=PROBLEM_TYPE)
    response.code = code
    for name, value in headers.items():
        response.headers[name.replace("_", "-").title()] = value
    return response
