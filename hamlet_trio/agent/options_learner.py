"""Semi-Markov deep Q-learning over options."""

import msgspec
import torch
from torch import Tensor

from hamlet_trio.agent.checkpoint import Checkpoint
from hamlet_trio.agent.gradients import GradientStep, ManualGradients
from hamlet_trio.agent.learner import DQNLearner
from hamlet_trio.agent.learner_config import LearnerConfig
from hamlet_trio.agent.networks.options_network import OptionsBackprop, OptionsNetwork
from hamlet_trio.agent.option_transitions import OptionAccumulator
from hamlet_trio.agent.step_accumulator import StepAccumulator
from hamlet_trio.agent.update import States, Updater
from hamlet_trio.world import WorldConfig


class OptionsLearner(DQNLearner):
    """A `DQNLearner` that learns the values of options: shortest walks to places, each ending with its use.

    Q-learning over options (Sutton, Precup and Singh 1999, section 3.2): a target discounts by gamma to the
    power of the option's duration. Transitions are found in hindsight (intra-option learning, section 6). The
    greedy policy chooses anew at every step (interruption, section 4). The change of the meters over each
    option is learnt too, as an auxiliary task. `n_step` and `double` have no effect.
    """

    network: OptionsNetwork
    target: OptionsNetwork

    def __init__(self, config: LearnerConfig, *, world: WorldConfig, seed: int, num_streams: int = 1) -> None:
        """Make a learner of options to the places of `world`; parameters and errors as of `DQNLearner`."""
        codes = tuple(sorted(place.code for place in world.affordances))
        config = msgspec.structs.replace(config, sizes={"places": len(codes), **config.sizes})
        self._world = world
        super().__init__(config, seed=seed, width=world.width, height=world.height, num_streams=num_streams)
        # A network of other options than the world's comes from a checkpoint, which brings their codes.
        self._set_places(codes if self.network.num_places == len(codes) else None)

    def _set_places(self, codes: tuple[int, ...] | None = None) -> None:
        for network in (self.network, self.target):
            network.set_places(self._world, codes)

    def make_accumulator(self, num_streams: int) -> StepAccumulator:
        """As in `DQNLearner`: what finds options in the steps of so many streams."""
        return OptionAccumulator(
            self.config.gamma,
            num_streams,
            self._row_size,
            places=self.network.num_places,
            longest=self._longest_option(),
        )

    def _make_updater(self) -> Updater:
        return OptionsUpdater(
            self.config, self.network, self.target, self.device, longest=self._longest_option()
        )

    def _longest_option(self) -> int:
        return self._world.width + self._world.height

    def start_from(self, checkpoint: Checkpoint) -> None:
        """As in `DQNLearner`; the places are those of this learner's world."""
        super().start_from(checkpoint)
        self._set_places()


class OptionsUpdater(Updater):
    """An `Updater` that learns the options' effects on the meters too."""

    def __init__(
        self,
        config: LearnerConfig,
        network: OptionsNetwork,
        target: OptionsNetwork,
        device: torch.device,
        *,
        longest: int,
    ) -> None:
        super().__init__(config, network, target, device, longest=longest)
        self._options_network = network
        backprop = network.backprop()
        self._gradients = self._option_gradients = OptionGradients(network, backprop, config.huber_delta)

    def _wanted(self, actions: Tensor, states: States, next_states: States) -> tuple[Tensor, ...]:
        """Return the columns of the options taken and their effects on the meters."""
        meters = self._options_network.meters
        effects = meters(next_states.rows) - meters(states.rows)
        return self._option_gradients.columns_of(actions), effects

    def _gradient(self, encoded: Tensor | None, targets: Tensor, *wanted: Tensor) -> GradientStep:
        columns, effects = wanted
        return self._option_gradients.compute(encoded, columns, targets, effects)


class OptionGradients(ManualGradients):
    """`ManualGradients` with the loss of the predicted effects; the loss that is reported is without it."""

    def __init__(self, network: OptionsNetwork, backprop: OptionsBackprop, delta: float) -> None:
        super().__init__(network, backprop, delta)
        self._options_backprop = backprop
        self.columns_of = backprop.columns_of

    def compute(
        self, states: Tensor | None, columns: Tensor, targets: Tensor, effects: Tensor
    ) -> GradientStep:
        """Compute the gradient over n states, by default over those of the last `forward`.

        The effects' loss is half the squared error, summed over the meters, mean over the rows.

        Args:
            states: encoded, float32 [n, inputs].
            columns: `columns_of` the options taken, int64 [n, 7].
            targets: of the options' values, float32 [n].
            effects: of the options on the meters, float32 [n, 6].
        """
        backprop = self._options_backprop
        if states is not None:
            backprop.forward_outputs(states)
        values, predicted = backprop.of_options(columns)
        loss, by_values = self._value_gradient(values, targets)
        backprop.backward_of_options(columns, by_values, (predicted - effects) / len(effects))
        return self._step(loss, values)


def make_learner(config: LearnerConfig, *, world: WorldConfig, seed: int, num_streams: int = 1) -> DQNLearner:
    """Return the learner of a network type for a world; errors as of `DQNLearner`."""
    if config.network_type == "options":
        return OptionsLearner(config, world=world, seed=seed, num_streams=num_streams)
    return DQNLearner(config, seed=seed, width=world.width, height=world.height, num_streams=num_streams)
