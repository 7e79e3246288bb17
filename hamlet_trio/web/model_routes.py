"""The routes of models: the list, and the names that teachers give."""

from http import HTTPStatus
from typing import Annotated, Final

import msgspec
from msgspec import Meta, Struct
from quart import Blueprint, Response, request

from hamlet_trio.agent.given_names import (
    GivenNameError,
    NamesDamagedError,
    NamesFullError,
    NameTakenError,
)
from hamlet_trio.agent.models import ModelNameError, NotNamedError, UnknownModelError
from hamlet_trio.common.decoding import decode_json
from hamlet_trio.protocol.errors import BadMessageError, ErrorCode
from hamlet_trio.web.metaserver import Metaserver
from hamlet_trio.web.problems import problem
from hamlet_trio.web.responses import ModelsResponse, as_json

_FIELD: Final = "given_name"


class GivenNameRequest(Struct, frozen=True, forbid_unknown_fields=True):
    """`PUT /api/models/NAME/given_name`: the name to give to a run's model."""

    given_name: Annotated[str | None, Meta(description="name for people, 1 to 60 characters; null: none")]


class GivenNameResponse(Struct, frozen=True):
    """`PUT /api/models/NAME/given_name`: the name as it is kept."""

    name: Annotated[str, Meta(description="file name of the model")]
    given_name: Annotated[str | None, Meta(description="name that a person gave to it, for people")]


def make_model_routes(server: Metaserver) -> Blueprint:
    """Return the routes of models."""
    routes = Blueprint("models", __name__)

    @routes.get("/api/models")
    async def models() -> Response:
        details = await server.read_files(server.models.details)
        return as_json(ModelsResponse([model.name for model in details], len(details), details))

    @routes.put("/api/models/<name>/given_name")
    async def give_name(name: str) -> Response:
        """Give a run's model a name for people; its file keeps its own."""
        try:
            given = decode_json(await request.get_data(), GivenNameRequest).given_name
        except msgspec.DecodeError:
            sentence = 'Send {"given_name": "..."}, or {"given_name": null} to take the name away.'
            raise BadMessageError(ErrorCode.INVALID_REQUEST, sentence) from None
        try:
            kept = await server.read_files(server.models.name_model, name, given)
        except OSError as error:
            sentence = f"The name cannot be written: {error.strerror}."
            return problem(HTTPStatus.INSUFFICIENT_STORAGE, ErrorCode.SAVE_FAILED, sentence)
        return as_json(GivenNameResponse(name, kept))

    @routes.errorhandler(GivenNameError)
    async def refused_name(error: GivenNameError) -> Response:
        match error:
            case NameTakenError():
                status, code = HTTPStatus.CONFLICT, ErrorCode.NAME_TAKEN
            case NamesFullError():
                status, code = HTTPStatus.CONFLICT, ErrorCode.NAMES_FULL
            case NamesDamagedError():
                return problem(HTTPStatus.INSUFFICIENT_STORAGE, ErrorCode.SAVE_FAILED, str(error))
            case _:
                status, code = HTTPStatus.UNPROCESSABLE_ENTITY, ErrorCode.OUT_OF_RANGE
        return problem(status, code, str(error), field=_FIELD)

    @routes.errorhandler(ModelNameError)
    async def refused_model(error: ModelNameError) -> Response:
        match error:
            case NotNamedError():
                status, code = HTTPStatus.CONFLICT, ErrorCode.MODEL_NOT_NAMED
            case UnknownModelError():
                status, code = HTTPStatus.NOT_FOUND, ErrorCode.UNKNOWN_MODEL
            case _:
                status, code = HTTPStatus.NOT_FOUND, ErrorCode.INVALID_MODEL_NAME
        return problem(status, code, str(error))

    return routes
