"""Watch a model play: python docs/samples/watch.py [ws://localhost:8765/ws] [model]"""

import json
import sys

import trio
from trio_websocket import open_websocket_url


async def main(url: str = "ws://localhost:8765/ws", model: str = "trained_agent.pt") -> None:
    async with open_websocket_url(url) as socket:
        await socket.send_message(json.dumps({"command": "load_model", "model": model}))
        await socket.send_message(json.dumps({"command": "play"}))
        while (message := json.loads(await socket.get_message()))["type"] != "error":
            if message["type"] == "state_update":
                print(message["step"], message["reward"], message["agents"]["agent_0"]["meters"])
        print(message["message"])


trio.run(main, *sys.argv[1:])
