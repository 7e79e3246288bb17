"""Watch a model play: python docs/samples/watch.py [URL] [model]"""

import json
import sys

import trio
from trio_websocket import ConnectionClosed, HandshakeError, open_websocket_url


async def main(url="ws://localhost:8765/ws", model="trained_agent.pt"):
    try:
        async with open_websocket_url(url) as socket:
            await socket.send_message(json.dumps({"command": "load_model", "model": model}))
            await socket.send_message(json.dumps({"command": "play"}))
            while (message := json.loads(await socket.get_message()))["type"] != "error":
                if message["type"] == "state_update":
                    print(message["step"], message["agents"]["agent_0"]["meters"])
            print(message["message"])
    except (ConnectionClosed, HandshakeError, OSError) as error:
        print(f"The connection ended: {error}")


trio.run(main, *sys.argv[1:])
