"""The guard builds on Hypercorn's insides: these tests fail when they move."""

import inspect
from importlib.metadata import version
from types import SimpleNamespace

import hypercorn.trio
import pytest
import trio
import trio.testing
from hypercorn.config import Config
from hypercorn.protocol import ProtocolWrapper
from hypercorn.protocol.h11 import H11Protocol
from hypercorn.protocol.ws_stream import ASGIWebsocketState, Handshake, WSStream
from hypercorn.trio.run import trio_worker, worker_serve
from hypercorn.trio.task_group import TaskGroup
from hypercorn.trio.tcp_server import TCPServer
from hypercorn.typing import ASGIReceiveEvent

from hamlet_trio.web import guard
from hamlet_trio.web.guard import REPLACEMENTS, install_guard
from hamlet_trio.web.guard.guarded_config import guarded
from hamlet_trio.web.guard.tasks import AppQueue
from tests.patience import PATIENCE
from tests.web.guarded import GuardedApp, make_app
from tests.web.killers import KILLERS, send_killer
from tests.web.wire import connect


def test_hypercorn_is_the_version_the_guard_was_written_for() -> None:
    assert version("hypercorn") == "0.18.0"


def test_every_replaced_name_is_where_hypercorn_looks_for_it() -> None:
    install_guard()
    for module, name, original, replacement in REPLACEMENTS:
        assert getattr(module, name) is replacement
        assert issubclass(replacement, original)
        assert original.__name__ == name


def test_the_replaced_names_are_those_that_hypercorns_code_uses() -> None:
    users = {
        "TCPServer": worker_serve,
        "TaskGroup": TCPServer.run,
        "H11Protocol": ProtocolWrapper.__init__,
        "WSStream": H11Protocol._create_stream,
    }
    assert set(users) == {name for _, name, _, _ in REPLACEMENTS}
    for name, user in users.items():
        assert name in user.__code__.co_names, f"{user.__qualname__} no longer uses {name}"


SIGNATURES = {
    TCPServer.__init__: "(self, app, config, context, state, stream)",
    TCPServer.run: "(self)",
    TCPServer.protocol_send: "(self, event)",
    TCPServer._read_data: "(self)",
    TaskGroup.spawn_app: "(self, app, config, scope, send)",
    H11Protocol.handle: "(self, event)",
    H11Protocol.stream_send: "(self, event)",
    H11Protocol._check_protocol: "(self, event)",
    H11Protocol._send_error_response: "(self, status_code)",
    H11Protocol._send_h11_event: "(self, event)",
    WSStream.handle: "(self, event)",
    WSStream.app_send: "(self, message)",
    WSStream._accept: "(self, message)",
    WSStream._handle_events: "(self)",
    WSStream._send_error_response: "(self, status_code)",
    WSStream._send_wsproto_event: "(self, event)",
    Handshake.__init__: "(self, headers, http_version)",
    worker_serve: "(app, config, *, sockets, shutdown_trigger, task_status)",
    trio_worker: "(config, sockets, shutdown_event)",
}


@pytest.mark.parametrize("function", SIGNATURES, ids=lambda function: function.__qualname__)
def test_what_the_guard_overrides_or_calls_has_not_changed_its_signature(function: object) -> None:
    assert callable(function)
    signature = inspect.signature(function)
    bare = [p.replace(annotation=p.empty, default=p.empty) for p in signature.parameters.values()]
    shown = str(inspect.Signature(bare))
    assert shown == SIGNATURES[function]  # type: ignore[index]  # a key of the table above


def test_the_states_the_guard_tells_apart_exist() -> None:
    names = {state.name for state in ASGIWebsocketState}
    assert names == {"HANDSHAKE", "CONNECTED", "RESPONSE", "CLOSED", "HTTPCLOSED"}


def test_installing_twice_changes_nothing() -> None:
    install_guard()
    before = [getattr(module, name) for module, name, _, _ in REPLACEMENTS]
    install_guard()
    assert [getattr(module, name) for module, name, _, _ in REPLACEMENTS] == before


def test_a_place_taken_by_something_else_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    _, name, original, replacement = REPLACEMENTS[0]
    module = SimpleNamespace(__name__="hypercorn.trio.run", TCPServer=object)
    first = guard.Replacement(module, name, original, replacement)  # type: ignore[arg-type]
    monkeypatch.setattr(guard, "REPLACEMENTS", (first,))
    with pytest.raises(RuntimeError, match="cannot guard it"):
        install_guard()


def test_a_plain_configuration_is_refused() -> None:
    with pytest.raises(TypeError, match="GuardedConfig"):
        guarded(Config())


@pytest.mark.parametrize("name", KILLERS)
async def test_each_killer_really_ends_a_server_without_the_guard(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module, place, original, _ in REPLACEMENTS:
        monkeypatch.setattr(module, place, original)
    config = Config()
    config.bind = ["127.0.0.1:0"]
    config.errorlog = None
    ended = trio.Event()

    async def serve(*, task_status: trio.TaskStatus[list[str]]) -> None:
        try:
            await hypercorn.trio.serve(make_app(GuardedApp()), config, task_status=task_status)
        except* Exception:
            ended.set()

    async with trio.open_nursery() as nursery:
        (bind,) = await nursery.start(serve)
        async with connect(int(bind.rpartition(":")[2])) as killer:
            await send_killer(killer, name)
            with trio.fail_after(PATIENCE):
                await ended.wait()


async def test_a_full_queue_keeps_nobody_waiting_once_the_app_has_ended() -> None:
    queue = AppQueue()
    send, receive = trio.open_memory_channel[ASGIReceiveEvent](1)
    event: ASGIReceiveEvent = {"type": "websocket.connect"}
    async with trio.open_nursery() as nursery:
        await queue.put(send.send, event)
        for _ in range(2):
            nursery.start_soon(queue.put, send.send, event)
        await trio.testing.wait_all_tasks_blocked()
        assert len(nursery.child_tasks) == 2
        queue.end()
    await queue.put(send.send, event)
    assert receive.statistics().current_buffer_used == 1
