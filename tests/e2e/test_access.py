"""Test a production server with teachers, viewers and strangers: its WebSockets, log and start."""

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.client import Player, connected
from tests.e2e.conftest import Server, launch
from tests.web.access.conftest import Known, add_token, made, revoke
from tests.web.wire import connect, handshake

__all__ = ["made"]

STUDENT = "198.51.100.7"
PAGE = "https://hamlet.example.org"


@pytest.fixture(scope="module")
def keys(made: Known, tmp_path_factory: pytest.TempPathFactory) -> Known:
    """A file of tokens of this module's own."""
    file = tmp_path_factory.mktemp("keys") / "tokens.json"
    file.write_bytes(made.file.read_bytes())
    return made._replace(file=file)


@pytest.fixture(scope="module")
def school(models: Path, keys: Known, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server where everyone logs in, on which one client may have three connections of a kind."""
    server = launch(
        {
            "HAMLET_PROFILE": "production",
            "HAMLET_ALLOWED_ORIGINS": PAGE,
            "HAMLET_LOGIN": "everyone",
            "HAMLET_TOKENS_FILE": str(keys.file),
            "HAMLET_MODELS_DIR": str(models),
            "HAMLET_DATA_DIR": str(tmp_path_factory.mktemp("data")),
            "HAMLET_MAX_SESSIONS_PER_CLIENT": "3",
            "HAMLET_HANDSHAKE_RATE": "0.1",
            "HAMLET_HANDSHAKE_BURST": "20",
        }
    )
    server.port = server.wait_for("listening")["port"]
    server.wait_for("inference_ready")
    yield server
    server.end()


async def refusal(server: Server, path: str = "/ws", **headers: str) -> tuple[int, str, Any]:
    """Status, code and `Retry-After` of a handshake."""
    async with connect(server.port) as client:
        await client.send(handshake(path, **headers))
        answer = await client.read_answer()
        code = "" if answer.status == 101 else json.loads(answer.body)["code"]
        return answer.status, code, answer.headers.get("retry-after")


async def refused(player: Player, command: str, **fields: Any) -> Any:
    """The error that a command is answered with; the connection stays."""
    await player.send(command, **fields)
    error = await player.expect("error")
    await player.send("status")
    await player.expect("training_status")
    return error


@pytest.mark.parametrize("path", ["/ws", "/ws/training"])
async def test_a_handshake_needs_a_login_by_cookie_or_bearer(school: Server, keys: Known, path: str) -> None:
    assert await refusal(school, path) == (401, "login_needed", None)
    assert await refusal(school, path, origin=PAGE) == (401, "login_needed", None)
    assert await refusal(school, path, authorization="Bearer hamlet_no") == (401, "bad_credentials", None)
    assert (await refusal(school, path, authorization=f"Bearer {keys.viewer}"))[0] == 101
    # A token is no excuse for a foreign page.
    foreign = {"origin": "https://evil.example.org", "authorization": f"Bearer {keys.teacher}"}
    assert (await refusal(school, path, **foreign))[:2] == (403, "forbidden_origin")


async def test_a_viewer_watches_and_a_teacher_trains(school: Server, keys: Known) -> None:
    async with (
        connected(school.port, "/ws/training", secret=keys.viewer) as viewer,
        connected(school.port, "/ws/training", secret=keys.teacher) as teacher,
    ):
        await viewer.expect("training_status")
        error = await refused(viewer, "start_training", num_episodes=1)
        assert (error["code"], error["command"], error["field"]) == ("forbidden", "start_training", "command")
        await teacher.send("start_training", num_episodes=1000, step_delay=0, seed=1)
        await viewer.expect("training_started")
        for command in ("pause", "resume", "stop"):
            assert (await refused(viewer, command))["code"] == "forbidden"
        await teacher.send("stop")
        await viewer.expect("training_stopped")


async def test_a_token_that_is_revoked_ends_its_connections_and_trains_no_more(
    school: Server, keys: Known
) -> None:
    secret = add_token(keys.file, "Mr Smith", "teacher")
    token_id = json.loads(keys.file.read_text())["tokens"][-1]["id"]
    async with (
        connected(school.port, "/ws/training", secret=secret) as teacher,
        connected(school.port, "/ws/training", secret=secret) as silent,
        connected(school.port, "/ws/training", secret=keys.viewer) as other,
    ):
        await teacher.send("stop")
        assert (await teacher.expect("error"))["code"] == "not_training"
        revoke(keys.file, token_id)
        await teacher.send("start_training")
        assert await teacher.close_code() == 4401
        assert await silent.close_code() == 4401
        await other.expect("training_status")
        await other.send("status")
        assert (await other.expect("training_status"))["state"] == "idle"


async def test_a_client_s_places_and_handshakes_are_its_own(school: Server, keys: Known) -> None:
    who = {"authorization": f"Bearer {keys.viewer}", "x_forwarded_for": STUDENT}
    async with connect(school.port) as one, connect(school.port) as two, connect(school.port) as three:
        for client in (one, two, three):
            await client.open_websocket("/ws", **who)
        assert await refusal(school, "/ws", **who) == (503, "client_full", "5")
        elsewhere = who | {"x_forwarded_for": f"{STUDENT}, 198.51.100.8"}
        assert (await refusal(school, "/ws", **elsewhere))[0] == 101
        # A page, which is not told why, asks.
        async with connect(school.port) as asking:
            head = "".join(f"{name.replace('_', '-')}: {value}\r\n" for name, value in who.items())
            await asking.send(f"GET /ws HTTP/1.1\r\nhost: x\r\n{head}\r\n".encode())
            answer = await asking.read_answer()
            assert (answer.status, json.loads(answer.body)["code"]) == (503, "client_full")
    answers = [await refusal(school, "/ws/training", **who) for _ in range(20)]
    assert answers[0][0] == 101
    assert answers[-1] == (429, "rate_limited", "10")
    assert (await refusal(school, "/ws/training", **elsewhere))[0] == 101


async def test_the_log_knows_clients_and_no_secrets(school: Server, keys: Known) -> None:
    async with connect(school.port) as client:
        body = json.dumps({"secret": keys.teacher})
        head = f"POST /api/login HTTP/1.1\r\nhost: x\r\nx-forwarded-for: {STUDENT}\r\n"
        await client.send(f"{head}content-length: {len(body)}\r\n\r\n{body}".encode())
        answer = await client.read_answer()
        assert answer.status == 200
    cookie = answer.headers["set-cookie"].partition("=")[2].partition(";")[0]
    page = {"origin": PAGE, "cookie": f"hamlet={cookie}", "x_forwarded_for": "192.0.2.1"}
    assert (await refusal(school, **page))[0] == 101
    assert school.wait_for("logged_in")["client"] == STUDENT
    school.wait_for("connected", client="192.0.2.1")
    hashes = [token["hash"] for token in json.loads(keys.file.read_text())["tokens"]]
    for secret in (keys.teacher, keys.viewer, keys.code, cookie, "hamlet_", *hashes):
        assert secret not in school.output()


HYPERCORN = ["-m", "hypercorn", "-k", "trio", "-c", "deploy/hypercorn.toml", "hamlet_trio.asgi:app"]


@pytest.mark.parametrize("command", [None, HYPERCORN], ids=["serve", "hypercorn"])
def test_production_does_not_start_without_a_teacher(command: list[str] | None, tmp_path: Path) -> None:
    environment = {"HAMLET_PROFILE": "production", "HAMLET_DATA_DIR": str(tmp_path)}
    server = launch(environment, command and [sys.executable, *command])
    code = server.wait()
    (sentence,) = [line for line in server.lines if line.startswith("hamlet: ")]
    assert "HAMLET_TOKENS_FILE" in sentence
    assert f"hamlet tokens create --role teacher --name NAME --file {tmp_path}/tokens.json" in sentence
    assert code == 1 or command  # Hypercorn's main process exits with 0
    server.end()
