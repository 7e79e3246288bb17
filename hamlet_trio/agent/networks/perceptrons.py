"""Q-networks that read the observation as one flat vector."""

from torch import Tensor

from hamlet_trio.agent.networks.backprop import Chain, DuelingChains, PlainBackprop
from hamlet_trio.agent.networks.layers import (
    Backprop,
    Network,
    Shapes,
    dimension,
    dueling,
    layer_outputs,
    perceptron,
    read_streams,
    run_through,
)
from hamlet_trio.agent.networks.spec import (
    SCALARS,
    DuelingSizes,
    NetworkError,
    NetworkSpec,
    QNetworkSizes,
    Sizes,
)


class QNetwork(Network):
    """A multilayer perceptron from the observation to Q-values; Mnih et al. 2015 without the convolution."""

    network_type = "qnetwork"
    parts = frozenset({"layers"})

    def __init__(self, spec: NetworkSpec, sizes: QNetworkSizes) -> None:
        super().__init__(spec)
        widths = (spec.observation_size, *sizes.hidden, spec.num_actions)
        self.layers = perceptron(widths, last_relu=False)

    def forward(self, observations: Tensor) -> Tensor:
        return run_through(self.layers, observations)

    def backprop(self) -> Backprop:
        """Return the written-out `forward` and gradients."""
        return PlainBackprop(Chain(*self.layers, last_relu=False))

    @staticmethod
    def read_shapes(shapes: Shapes) -> tuple[int, int, Sizes]:
        outputs = layer_outputs(shapes, "layers")
        if not outputs:
            raise NetworkError("The parameter layers.0.weight is missing.")
        cells = dimension(shapes, "layers.0.weight", 1) - SCALARS
        return cells, outputs[-1], QNetworkSizes(hidden=outputs[:-1])


class DuelingNetwork(Network):
    """A perceptron whose features feed a value and an advantage stream; Wang et al. 2016, section 3."""

    network_type = "dueling"
    parts = frozenset({"feature_extractor", "value_stream", "advantage_stream"})

    def __init__(self, spec: NetworkSpec, sizes: DuelingSizes) -> None:
        super().__init__(spec)
        last = (spec.observation_size, *sizes.features)[-1]
        self.feature_extractor = perceptron((spec.observation_size, *sizes.features), last_relu=True)
        self.value_stream = perceptron((last, *sizes.value_hidden, 1), last_relu=False)
        self.advantage_stream = perceptron((last, *sizes.advantage_hidden, spec.num_actions), last_relu=False)

    def forward(self, observations: Tensor) -> Tensor:
        features = run_through(self.feature_extractor, observations)
        return dueling(run_through(self.value_stream, features), run_through(self.advantage_stream, features))

    def backprop(self) -> Backprop:
        """Return the written-out `forward` and gradients."""
        return PlainBackprop(
            DuelingChains(
                Chain(*self.feature_extractor, last_relu=True),
                Chain(*self.value_stream, last_relu=False),
                Chain(*self.advantage_stream, last_relu=False),
            )
        )

    @staticmethod
    def read_shapes(shapes: Shapes) -> tuple[int, int, Sizes]:
        actions, sizes = read_streams(shapes)
        cells = dimension(shapes, "feature_extractor.0.weight", 1) - SCALARS
        return cells, actions, DuelingSizes(**sizes)
