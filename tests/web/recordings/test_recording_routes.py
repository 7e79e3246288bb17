"""The routes of recordings: listing, facts, files, refusals."""

from pathlib import Path

import msgspec
import pytest

from hamlet_trio.recording.file import Recording, decode, encode
from hamlet_trio.recording.folder import RecordingFolder
from hamlet_trio.web.app import HamletApp
from tests.recording.support import record
from tests.web.conftest import make_app
from tests.web.recordings.support import (
    ask,
)

SHORT = [0, 0, 1]


async def test_the_list_is_empty_at_first(app: HamletApp) -> None:
    assert await ask(app, "GET", "/api/recordings") == (200, {"recordings": [], "total": 0})


async def test_recordings_are_listed_newest_first_a_page_at_a_time(
    app: HamletApp, folder: RecordingFolder
) -> None:
    made = [
        record(actions=SHORT, model="a.pt"),
        record(actions=SHORT, source="training", run_id="20250101-000000-abcdef", reasons=["every_nth"]),
        record(actions=SHORT, model="b.pt"),
    ]
    for recording in made:
        folder.save(recording)
    ids = [recording.info.recording for recording in reversed(made)]

    async def listed(query: str) -> tuple[list[str], int]:
        _, answer = await ask(app, "GET", f"/api/recordings{query}")
        return [entry["recording"] for entry in answer["recordings"]], answer["total"]

    assert await listed("") == (ids, 3)
    assert await listed("?limit=1&offset=1") == (ids[1:2], 3)
    assert await listed("?source=training") == (ids[1:2], 1)
    assert await listed("?run=20250101-000000-abcdef&reason=every_nth") == (ids[1:2], 1)
    assert await listed("?model=b.pt") == (ids[:1], 1)
    assert await listed("?reason=best_so_far") == ([], 0)


@pytest.mark.parametrize(
    "query", ["limit=0", "limit=1001", "offset=-1", "source=moon", "path=/etc", "limit=a"]
)
async def test_an_impossible_query_is_a_400(app: HamletApp, query: str) -> None:
    status, answer = await ask(app, "GET", f"/api/recordings?{query}")
    assert (status, answer["code"]) == (400, "invalid_query")


async def test_a_recordings_facts_and_its_file(app: HamletApp, short: Recording) -> None:
    path = f"/api/recordings/{short.info.recording}"
    status, answer = await ask(app, "GET", path)
    assert status == 200
    assert msgspec.convert(answer["info"], type(short.info)) == short.info
    assert (answer["size_bytes"], answer["error"]) == (len(encode(short)), None)
    response = await app.test_client().get(f"{path}/file")
    name = f"{short.info.recording}.rec"
    assert name in response.headers["Content-Disposition"]
    assert decode(await response.get_data(as_text=False), name).play().digest() == short.digest


async def test_a_damaged_recording_is_listed_with_its_error(
    app: HamletApp, folder: RecordingFolder, short: Recording
) -> None:
    (folder.path / "20250101-000000-000bad.rec").write_bytes(encode(short)[:-1])
    _, answer = await ask(app, "GET", "/api/recordings/20250101-000000-000bad")
    assert answer["info"] is None
    assert "is damaged" in answer["error"]


@pytest.mark.parametrize("name", ["20250101-000000-abcdef", "..%2f..%2fsettings", "a", "%00", "x" * 300])
@pytest.mark.parametrize("what", ["", "/file", "/film", "/film/file"])
async def test_what_is_no_recording_is_a_404(app: HamletApp, short: Recording, name: str, what: str) -> None:
    status, answer = await ask(app, "GET", f"/api/recordings/{name}{what}")
    assert (status, answer["code"]) in [(404, "unknown_recording"), (404, "not_found")]


async def test_pages_of_foreign_origins_change_nothing(tmp_path: Path, short: Recording) -> None:
    app = make_app(tmp_path, allowed_origins=("https://hamlet.example.org",))
    path = f"/api/recordings/{short.info.recording}/film"
    for method in ("POST", "DELETE"):
        status, answer = await ask(app, method, path, Origin="https://evil.example")
        assert (status, answer["code"]) == (403, "forbidden_origin")
        assert (await ask(app, method, path, Origin="https://hamlet.example.org"))[0] != 403
    assert (await ask(app, "GET", "/api/recordings", Origin="https://evil.example"))[0] == 200
