"""Compute a model's Q-values in plain torch: python docs/samples/plain_forward.py models/trained_agent.pt"""

import sys

import torch
from torch.nn.functional import linear, relu

METERS = 6


def perceptron(weights, part, values, last_relu=True):
    """Apply the linear layers of a part, with ReLU between them."""
    layers = sorted({int(key.split(".")[1]) for key in weights if key.startswith(f"{part}.")})
    for layer in layers:
        values = linear(values, weights[f"{part}.{layer}.weight"], weights[f"{part}.{layer}.bias"])
        if last_relu or layer != layers[-1]:
            values = relu(values)
    return values


def dueling(value, advantages):
    """Join a state's value [n, 1] and the advantages [n, k] of its choices."""
    return value + advantages - advantages.mean(dim=1, keepdim=True)


def map_features(observations, width, height, codes):
    """Return what `egocentric` and `options` read off observations [n, 8 + cells]: [n, 2 + 8 places + 36]."""
    x = torch.arange(width).repeat(height)
    y = torch.arange(height).repeat_interleave(width)
    cells = torch.stack((x, y, torch.ones_like(x)), dim=1).float()
    found = (
        observations[:, None, 8:] == codes[:, None]
    ).float() @ cells  # x, y, 1 of each place; 0 if unseen
    span = torch.tensor((max(width - 1, 1), max(height - 1, 1))).float()
    offset = found[:, :, :2] - observations[:, None, :2] * span * found[:, :, 2:]
    far = offset.abs().sum(dim=2, keepdim=True)
    sides = (offset > 0.5, offset < -0.5, far / span.max() - 1, far < 0.5)
    places = torch.cat((offset / span, *sides), dim=2) * (codes != -1)[:, None]
    centred = observations[:, :8] * 2 - 1
    soft = torch.tanh((observations[:, 2:8, None] - torch.tensor((0.2, 0.35, 0.5, 0.65, 0.8))) * 6)
    return torch.cat((centred[:, :2], places.flatten(1), centred[:, 2:], soft.flatten(1)), dim=1)


def qnetwork(weights, observations, width, height):
    return perceptron(weights, "layers", observations, last_relu=False)


def dueling_network(weights, observations, width, height):
    features = perceptron(weights, "feature_extractor", observations)
    value = perceptron(weights, "value_stream", features, last_relu=False)
    return dueling(value, perceptron(weights, "advantage_stream", features, last_relu=False))


def egocentric(weights, observations, width, height):
    features = map_features(observations, width, height, torch.arange(1.0, 9.0))
    outputs = linear(perceptron(weights, "trunk", features), weights["head.weight"], weights["head.bias"])
    return dueling(outputs[:, :1], outputs[:, 1:])


def options(weights, observations, width, height):
    """For an agent alone; among others, a place that is not seen is where `place_reader.places` says."""
    codes = weights["place_reader.places"][:, 0]
    features = map_features(observations, width, height, codes)
    centres = torch.arange(1, 40) / 40
    tents = (1 - (observations[:, 2:8, None] - centres).abs() * 40).clamp(min=0)
    hidden = perceptron(weights, "trunk", torch.cat((features, tents.flatten(1)), dim=1))
    outputs = linear(hidden, weights["option_head.weight"], weights["option_head.bias"])
    of_options = dueling(outputs[:, :1], outputs[:, 1 : 1 + len(codes)])
    # An action is worth the best option whose next step it is; else less than every option.
    places = features[:, 2 : 2 + 8 * len(codes)].view(-1, len(codes), 8)
    toward = places[:, :, [5, 3, 4, 2, 7]] > 0.5  # up, down, left, right, interact
    least = of_options.min(dim=1, keepdim=True).values - 1
    return torch.where(toward, of_options[:, :, None], least[:, :, None]).amax(dim=1)


FORWARD = {"qnetwork": qnetwork, "dueling": dueling_network, "egocentric": egocentric, "options": options}

if __name__ == "__main__":
    file = torch.load(sys.argv[1], weights_only=True)
    about = file["metadata"]
    world = about["world"]
    observation = torch.zeros(1, file["state_dim"])
    observation[0, 2:8] = 0.5
    print(FORWARD[about["network_type"]](file["q_network"], observation, world["width"], world["height"]))
