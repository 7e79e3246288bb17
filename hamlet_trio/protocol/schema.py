"""JSON Schema (draft 2020-12) of every message, made from the structs themselves.

`GET /api/schema` serves it; the page's TypeScript types and the tables of docs/protocol.md are made
from it.
"""

from typing import Any, get_args

import msgspec

from hamlet_trio.protocol.commands import InferenceCommand, TrainingCommand
from hamlet_trio.protocol.errors import CloseCode, ErrorCode
from hamlet_trio.protocol.messages import PROTOCOL_VERSION, InferenceMessage, TrainingMessage
from hamlet_trio.protocol.parameters import TrainingParameters

_ENDPOINTS = {
    "inference": {"commands": InferenceCommand, "messages": InferenceMessage},
    "training": {"commands": TrainingCommand, "messages": TrainingMessage},
}


def build_schema() -> dict[str, Any]:
    """Every command and message of both endpoints, the training parameters, error and close codes.

    Returns a dict: `protocol_version`; `endpoints[name]["commands" | "messages"][tag]`, references into
    `$defs`; `training_parameters` likewise; `errors` and `close_codes` map each code to its description.
    """
    types: list[Any] = [TrainingParameters]
    for unions in _ENDPOINTS.values():
        for union in unions.values():
            types += [kind for kind in get_args(union) if kind not in types]
    references, definitions = msgspec.json.schema_components(types, ref_template="#/$defs/{name}")
    by_type = dict(zip(types, references, strict=True))
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Hamlet wire protocol",
        "protocol_version": PROTOCOL_VERSION,
        "endpoints": {
            endpoint: {
                direction: {kind.__struct_config__.tag: by_type[kind] for kind in get_args(union)}
                for direction, union in unions.items()
            }
            for endpoint, unions in _ENDPOINTS.items()
        },
        "training_parameters": by_type[TrainingParameters],
        "errors": {code.value: code.description for code in ErrorCode},
        "close_codes": {str(int(code)): code.description for code in CloseCode},
        "$defs": definitions,
    }
