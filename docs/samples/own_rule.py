"""Play by a rule of your own: python docs/samples/own_rule.py [ws://localhost:8765/ws]

The rule: go to the place of the emptiest meter and use it.
"""

import json
import sys

import trio
from trio_websocket import ConnectionClosed, HandshakeError, open_websocket_url

PLACES = {"energy": "Bed", "hygiene": "Shower", "satiation": "HomeMeal", "money": "Job", "mood": "Gym"}
PLACES["social"] = "Bar"
UP, DOWN, LEFT, RIGHT, INTERACT = range(5)


def choose(frame):
    """Return the action of the rule for one state_update."""
    meters = frame["agents"]["agent_0"]["meters"]
    share = meters | {"money": (meters["money"] + 100) / 200, "mood": meters["mood"] / 100}
    emptiest = min(share, key=share.get)
    place = next(a for a in frame["grid"]["affordances"] if a["type"] == PLACES[emptiest])
    agent = frame["grid"]["agents"][0]
    if agent["x"] != place["x"]:
        return LEFT if place["x"] < agent["x"] else RIGHT
    if agent["y"] != place["y"]:
        return UP if place["y"] < agent["y"] else DOWN
    return INTERACT


async def live(socket):
    """Play one life; return a sentence about it, or about what ended it."""
    await socket.send_message(json.dumps({"command": "take_control"}))
    while True:
        message = json.loads(await socket.get_message())
        if message["type"] == "state_update" and not message["done"]:
            await socket.send_message(json.dumps({"command": "act", "action": choose(message)}))
        elif message["type"] == "episode_end":
            return f"lived {message['steps']} steps, return {message['total_reward']:.1f}"
        elif message["type"] == "error":
            return message["message"]


async def main(url="ws://localhost:8765/ws"):
    try:
        async with open_websocket_url(url) as socket:
            print(await live(socket))
    except (ConnectionClosed, HandshakeError, OSError) as error:
        print(f"The connection ended: {error}")


trio.run(main, *sys.argv[1:])
