"""Exchange networks with other programs: plain torch, ONNX, stable-baselines3.

Each way checks that the network at the other end gives the Q-values of the one it was made from. ONNX needs
the extra `onnx`, stable-baselines3 the extra `bench`.
"""
