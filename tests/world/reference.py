"""The rules once more, one agent and one number after another: what the arrays are held against.

Written from the rules' text with plain Python numbers and dictionaries; it shares nothing with the arrays
but the configuration's types.
"""

from dataclasses import dataclass

from hamlet_trio.world import METERS, Affordance, Effects, WorldConfig

MOVES = {0: (0, -1), 1: (0, 1), 2: (-1, 0), 3: (1, 0)}
ENDINGS = (
    ("energy", "energy_depleted"),
    ("hygiene", "hygiene_depleted"),
    ("satiation", "satiation_depleted"),
    ("mood", "mood_depleted"),
    ("money", "bankrupt"),
)


@dataclass
class Outcome:
    """What one agent got from one step."""

    reward: float
    terminated: bool
    truncated: bool
    used: str | None
    parts: dict[str, float]


class ReferenceAgent:
    def __init__(self, config: WorldConfig, x: int, y: int) -> None:
        self.config = config
        self.rules = {meter.name: meter for meter in config.meters}
        self.x, self.y = x, y
        self.meters = {meter.name: float(meter.start) for meter in config.meters}
        self.failure_reason: str | None = None

    def change(self, meter: str, amount: float) -> None:
        rule = self.rules[meter]
        self.meters[meter] = min(max(self.meters[meter] + amount, rule.minimum), rule.maximum)

    def apply(self, effects: Effects) -> None:
        for meter in METERS:
            self.change(meter, getattr(effects, meter))

    def normal(self, meter: str) -> float:
        rule = self.rules[meter]
        return (self.meters[meter] - rule.minimum) / (rule.maximum - rule.minimum)

    def affordance_here(self) -> Affordance | None:
        for affordance in self.config.affordances:
            if (affordance.x, affordance.y) == (self.x, self.y):
                return affordance
        return None

    def distance_to(self, name: str) -> int:
        (place,) = [a for a in self.config.affordances if a.name == name]
        return abs(place.x - self.x) + abs(place.y - self.y)

    def use(self, served: set[str]) -> Affordance | None:
        """Use what stands here; None when that fails. `served` are the affordances taken in this step."""
        here = self.affordance_here()
        if here is None or (self.config.contention and here.name in served):
            return None
        if here.effects.money < 0 and self.meters["money"] < -here.effects.money:
            return None
        tired = min(self.normal("energy"), self.normal("hygiene")) < self.config.tired_below
        for meter in METERS:
            amount = getattr(here.effects, meter)
            if meter == "money" and tired and here.tired_money is not None:
                amount = here.tired_money
            self.change(meter, amount)
        return here

    def step(self, action: int, served: set[str]) -> Outcome:
        config = self.config
        before = {meter: self.normal(meter) for meter in METERS}
        used = None
        if action in MOVES:
            step_x, step_y = MOVES[action]
            if 0 <= self.x + step_x < config.width and 0 <= self.y + step_y < config.height:
                self.x, self.y = self.x + step_x, self.y + step_y
            self.apply(config.move)
        else:
            used = self.use(served)
            if used is None:
                self.apply(config.failed_interact)
            else:
                served.add(used.name)
        for meter in METERS:
            self.change(meter, -self.rules[meter].drain)
        social = self.normal("social")
        if social < config.loneliness_below:
            lonely = config.loneliness_mood * (config.loneliness_below - social) / config.loneliness_below
            self.change("mood", -lonely)
        shaped = config.reward == "shaped"
        parts = self.shaped_parts(before, used) if shaped else self.survival_parts()
        for meter, reason in ENDINGS:
            if self.meters[meter] <= self.rules[meter].minimum:
                self.failure_reason = reason
                parts["ending"] = -config.end_penalty
                break
        ended = self.failure_reason is not None
        return Outcome(sum(parts.values()), ended, False, used.name if used else None, parts)

    def survival_parts(self) -> dict[str, float]:
        numbers = self.config.survival
        total = numbers.per_step
        for meter in ("energy", "hygiene", "satiation"):
            n = self.normal(meter)
            if n < numbers.severe_below:
                total -= numbers.severe_penalty
            elif n < numbers.low_below:
                total -= numbers.low_penalty
        return {"meters": total, "interaction": 0.0, "proximity": 0.0, "hunger": 0.0, "ending": 0.0}

    def shaped_parts(self, before: dict[str, float], used: Affordance | None) -> dict[str, float]:
        numbers = self.config.shaped
        reach = self.config.width + self.config.height
        parts = dict.fromkeys(("meters", "interaction", "proximity", "hunger", "ending"), 0.0)
        for meter in METERS:
            n, bands = self.normal(meter), getattr(numbers, meter)
            passed = [n > threshold for threshold in bands.above]
            parts["meters"] += bands.values[passed.index(True) if any(passed) else 3]
        if used is not None:
            listed = used.rewarded or used.effects
            for meter in METERS:
                need = 1 - before[meter]
                if meter == "money":
                    need = min(numbers.money_need_scale * need, 1)
                effect = getattr(listed, meter)
                if effect > 0:
                    parts["interaction"] += need * effect / 50 * numbers.interaction_scale
        worst = None
        for meter in ("energy", "hygiene", "satiation", "money", "social", "mood"):
            limit = numbers.money_critical_below if meter == "money" else numbers.critical_below
            need = 1 - self.normal(meter)
            if self.normal(meter) < limit and (worst is None or need > 1 - self.normal(worst)):
                worst = meter
        if worst is not None:
            place = self.rules[worst].place
            if place is not None:
                closeness = 1 - self.distance_to(place) / reach
                parts["proximity"] = (1 - self.normal(worst)) * closeness * numbers.proximity_scale
        satiation = self.normal("satiation")
        if satiation < numbers.hunger_below and self.config.meals:
            hunger = min(1, (numbers.hunger_below - satiation) / numbers.hunger_below)
            nearest = min(self.distance_to(meal) for meal in self.config.meals)
            parts["hunger"] = -hunger * nearest / reach * numbers.hunger_scale
        return parts


class ReferenceWorld:
    """One world with its agents."""

    def __init__(self, config: WorldConfig, starts: list[tuple[int, int]]) -> None:
        self.config = config
        self.agents = [ReferenceAgent(config, x, y) for x, y in starts]
        self.steps = 0

    @property
    def over(self) -> bool:
        return self.steps >= self.config.max_steps or all(agent.failure_reason for agent in self.agents)

    def step(self, actions: list[int]) -> list[Outcome]:
        served: set[str] = set()
        self.steps += 1
        outcomes = []
        for agent, action in zip(self.agents, actions, strict=True):
            if agent.failure_reason is not None:
                nothing = dict.fromkeys(("meters", "interaction", "proximity", "hunger", "ending"), 0.0)
                outcomes.append(Outcome(0.0, False, False, None, nothing))
                continue
            outcome = agent.step(action, served)
            outcome.truncated = not outcome.terminated and self.steps >= self.config.max_steps
            outcomes.append(outcome)
        return outcomes

    def observation(self, index: int) -> list[float]:
        """What the agent of that index sees, before it is rounded to float32."""
        config, me = self.config, self.agents[index]
        grid = [[0.0] * config.width for _ in range(config.height)]
        for affordance in config.affordances:
            grid[affordance.y][affordance.x] = affordance.code
        for other in self.agents:
            if other.failure_reason is None:
                grid[other.y][other.x] = 10
        grid[me.y][me.x] = 9
        return [
            me.x / (config.width - 1),
            me.y / (config.height - 1),
            *(me.normal(meter) for meter in METERS),
            *(value for row in grid for value in row),
        ]
