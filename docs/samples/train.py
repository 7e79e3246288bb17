"""Start a training run and follow it: python docs/samples/train.py [URL] [episodes]"""

import json
import sys

import trio
from trio_websocket import open_websocket_url


async def main(url="ws://localhost:8765/ws/training", episodes="20"):
    start = {"command": "start_training", "num_episodes": int(episodes), "show_every": 100, "step_delay": 0}
    async with open_websocket_url(url) as socket:
        await socket.send_message(json.dumps(start))
        while True:
            message = json.loads(await socket.get_message())
            match message["type"]:
                case "episode_complete":
                    print(message["episode"], message["length"], round(message["reward"], 1))
                case "training_complete":
                    print("saved", message["model_saved"])
                    return
                case "error":
                    print(message["message"])
                    return


trio.run(main, *sys.argv[1:])
