"""Watch a session by compact frames: python docs/samples/compact_frames.py [URL] [steps]"""

import base64
import json
import struct
import sys

import trio
from trio_websocket import ConnectionClosed, HandshakeError, open_websocket_url

ACTIONS = ("up", "down", "left", "right", "interact")
METERS = ("energy", "hygiene", "satiation", "money", "mood", "social")
TERMS = ("meters", "interaction", "proximity", "hunger", "ending")
DIGITS = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ-_"


def apply(base, delta):
    """Return the full frame that a compact one stands for; `base` is the full frame that it names."""
    on_training = "agent_meters" in base
    numbers = iter(doubles(delta["numbers"]))
    frame = dict(base, step=delta["step"], action=delta["action"], done=delta.get("done", False))
    for name in ["reward", "cumulative_reward", *(["epsilon"] if on_training else [])]:
        frame[name] = next(numbers)
    frame["info"] = {"step": delta["step"], "failure_reason": delta.get("failure_reason")}

    old_markers = base["agents"] if on_training else base["grid"]["agents"]
    markers, states = [], {}
    for number, marker in enumerate(old_markers):
        x, y = delta["cells"][2 * number : 2 * number + 2]
        state = agent_state(delta, numbers, number, [one["id"] for one in old_markers], frame["reward"])
        if on_training:
            state.pop("reward_breakdown", None)
        states[marker["id"]] = state
        reward = {"reward": state["reward"]} if on_training else {}
        markers.append(marker | {"x": x, "y": y, "last_action": state["last_action"]} | reward)

    if on_training:
        heat_map = base["heat_map"] | delta.get("heat_map", {})
        return frame | {"agents": markers, "agent_meters": states, "heat_map": heat_map}
    frame |= {"grid": base["grid"] | {"agents": markers}, "agents": states}
    frame |= {"truncated": delta.get("truncated", False)}
    terms = delta.get("reward_breakdown", [frame["reward"], 0, 0, 0, 0])
    if terms is not None:
        frame["reward_breakdown"] = dict(zip(TERMS, terms, strict=True))
    return frame | policy_outputs(base, delta) | visits_after(base, delta["visited"])


def agent_state(delta, numbers, number, ids, reward):
    """Return the state of an agent; its numbers come next."""
    several = len(ids) > 1
    action = delta["last_actions"][number] if several else delta["action"]
    state = {"meters": {meter: next(numbers) for meter in METERS}}
    state["last_action"] = "" if action is None else ACTIONS[action]
    state["reward"] = next(numbers) if several else reward
    if several:
        nothing = [None] * len(ids)
        failure = delta.get("failure_reasons", nothing)[number]
        state |= {"cumulative_reward": next(numbers), "failure_reason": failure, "alive": failure is None}
        waiting_for = delta.get("waiting_for", nothing)[number]
        if waiting_for is not None:
            state["waiting_for"] = ids[waiting_for]
        terms = None if action is None else [state["reward"], 0, 0, 0, 0]
        terms = delta["reward_breakdowns"][number] if "reward_breakdowns" in delta else terms
        if terms is not None:
            state["reward_breakdown"] = dict(zip(TERMS, terms, strict=True))
    return state


def policy_outputs(base, delta):
    """Return Q-values, attention and the values of options, where the frame has them."""
    outputs = {}
    if "q_values" in delta:
        outputs["q_values"] = doubles(delta["q_values"])
    if "attention" in delta:
        weights = doubles(delta["attention"])
        outputs["attention"] = [weights[row : row + 6] for row in range(0, 36, 6)]
    if "option_values" in delta:
        options = zip(base["option_values"], doubles(delta["option_values"]), strict=True)
        outputs["option_values"] = [option | {"value": value} for option, value in options]
    return outputs


def visits_after(base, path):
    """Return the visits of each cell after these more, and their heat map."""
    visits, width = list(base["visits"]), base["grid"]["width"]
    digits = 1
    while len(DIGITS) ** digits < len(visits):
        digits += 1
    for start in range(0, len(path), digits):
        cell = 0
        for digit in path[start : start + digits]:
            cell = len(DIGITS) * cell + DIGITS.index(digit)
        visits[cell] += 1
    most = max(visits)
    heat_map = {
        f"{cell % width},{cell // width}": (2000 * count + most) // (2 * most) / 1000  # rounded half up
        for cell, count in enumerate(visits)
        if count
    }
    return {"visits": visits, "heat_map": heat_map}


def doubles(text):
    """Return the numbers of a Base64 text."""
    data = base64.b64decode(text)
    return list(struct.unpack(f"<{len(data) // 8}d", data))


async def main(url="ws://localhost:8765/ws", steps="50"):
    """Play some steps, and print the meters after each and the bytes of a frame."""
    try:
        async with open_websocket_url(url) as socket:
            await socket.send_message(json.dumps({"command": "set_view", "frames": "compact"}))
            await socket.send_message(json.dumps({"command": "play"}))
            base, sizes = None, []
            while len(sizes) < int(steps):
                text = await socket.get_message()
                message = json.loads(text)
                if message["type"] == "state_update":
                    base = frame = message
                elif message["type"] == "delta" and base is not None and base.get("base") == message["base"]:
                    frame = apply(base, message)
                else:
                    continue
                sizes.append(len(text))
                print(frame["step"], frame["agents"]["agent_0"]["meters"])
            print(f"{sum(sizes) / len(sizes):.0f} bytes a frame")
    except (ConnectionClosed, HandshakeError, OSError) as error:
        print(f"The connection ended: {error}")


if __name__ == "__main__":
    trio.run(main, *sys.argv[1:])
