"""Start a training run and follow it to its end: python docs/samples/train.py [URL] [episodes]"""

import json
import sys

import trio
from trio_websocket import ConnectionClosed, HandshakeError, open_websocket_url


async def follow(socket):
    """Print each episode; return a sentence when the run is over or was never begun."""
    while True:
        match json.loads(await socket.get_message()):
            case {"type": "episode_complete", "episode": episode, "length": length, "reward": reward}:
                print(episode, length, round(reward, 1))
            case {"type": "training_complete", "model_saved": model}:
                return f"saved {model}"
            case {"type": "training_stopped", "reason": reason, "model_saved": model}:
                return f"stopped: {reason} Saved: {model}"
            case {"type": "training_failed", "reason": reason, "restart": False}:
                return f"failed: {reason}"
            case {"type": "error", "command": "start_training", "message": message}:
                return message
            case {"type": "error", "message": message}:
                print(message)  # such as a full disk; the run goes on


async def main(url="ws://localhost:8765/ws/training", episodes="20"):
    start = {"command": "start_training", "num_episodes": int(episodes), "show_every": 100, "step_delay": 0}
    try:
        async with open_websocket_url(url) as socket:
            await socket.send_message(json.dumps(start))
            print(await follow(socket))
    except (ConnectionClosed, HandshakeError, OSError) as error:
        print(f"The connection ended: {error}")


trio.run(main, *sys.argv[1:])
