"""Render world 0 of some worlds: as text, as a picture by the film's painter, or in a window."""

from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import NDArray

from hamlet_trio.world import FAILURE_REASONS, METERS, StepResult, Worlds

if TYPE_CHECKING:
    from hamlet_trio.film.scene import Scene

RENDER_MODES: Final = ("human", "rgb_array", "ansi")
FPS: Final = 10
WIDTH: Final = 960
HEIGHT: Final = 540
_LONGEST: Final = 500  # steps on the timeline, of an episode whose limit is not the world's


def check_render_mode(render_mode: str | None) -> None:
    """Raise ValueError for an unknown render mode."""
    if render_mode is not None and render_mode not in RENDER_MODES:
        raise ValueError(f"render_mode is {render_mode!r}; allowed: {', '.join(RENDER_MODES)}")


class Renderer:
    """Follow an episode of world 0 and render it; in mode `human` after each reset and step by itself.

    `agent` is the one whose meters, return and trail a picture shows. Resource handling: `close` closes the
    window, if there is one.
    """

    def __init__(self, mode: str | None, worlds: Worlds, *, agent: int = 0) -> None:
        """Make a renderer.

        Raises:
            ValueError: for an unknown mode.
            ModuleNotFoundError: where a mode needs an extra that is not installed; the message names it.
        """
        check_render_mode(mode)
        self._mode = mode
        self._worlds = worlds
        self._agent = agent
        self._painter: Any = _painter(worlds) if mode in ("human", "rgb_array") else None
        self._window: Any = _Window() if mode == "human" else None
        self._cells: list[tuple[int, int]] = []
        self._action: int | None = None
        self._reward = self._total = 0.0
        self._used = -1
        self.begin()

    def begin(self) -> None:
        """Note that an episode begins, and show it in the window."""
        if self._painter is None:
            return
        self._cells = [self._cell()]
        self._action, self._used = None, -1
        self._reward = self._total = 0.0

    def note(self, action: int, result: StepResult) -> None:
        """Note a step of world 0."""
        if self._painter is None:
            return
        self._action = action
        self._reward = float(result.rewards[0, self._agent])
        self._total += self._reward
        self._used = int(result.interacted[0, self._agent])
        self._cells = [*self._cells[-32:], self._cell()]

    def show(self) -> None:
        """Show the present moment in the window, if the mode is `human`."""
        if self._window is not None:
            self._window.show(self._picture())

    def render(self) -> NDArray[np.uint8] | str | None:
        """Return (540, 960, 3) uint8 in mode `rgb_array`, text in `ansi`, else None."""
        if self._mode == "ansi":
            return draw(self._worlds)
        if self._mode == "rgb_array":
            return self._picture()
        self.show()
        return None

    def close(self) -> None:
        """Close the window."""
        if self._window is not None:
            self._window.close()

    def _cell(self) -> tuple[int, int]:
        x, y = self._worlds.positions[0, self._agent].tolist()
        return x, y

    def _picture(self) -> NDArray[np.uint8]:
        from hamlet_trio.film.scene import Ending  # noqa: PLC0415 - an extra

        ending = None
        if self._worlds.over[0]:
            ending = Ending(FAILURE_REASONS[int(self._worlds.failure[0, self._agent])])
        image = self._painter.paint(self._scene(), ending)
        return np.asarray(image.reduce(2), dtype=np.uint8)

    def _scene(self) -> "Scene":
        from hamlet_trio.film.scene import Scene  # noqa: PLC0415 - an extra

        worlds, agent = self._worlds, self._agent
        others = [
            tuple(worlds.positions[0, other].tolist())
            for other in range(worlds.num_agents)
            if other != agent and worlds.alive[0, other]
        ]
        return Scene(
            step=int(worlds.steps[0]),
            steps=min(worlds.config.max_steps, _LONGEST),
            cells=self._cells,
            action=self._action,
            used=self._used,
            reward=self._reward,
            total=self._total,
            meters=worlds.meters[0, agent].tolist(),
            normalised=worlds.normalised()[0, agent].tolist(),
            others=others,
        )


class _Window:
    """A window of pygame's."""

    def __init__(self) -> None:
        try:
            import pygame  # noqa: PLC0415 - an extra
        except ModuleNotFoundError as error:
            raise _missing("pygame", "human") from error
        self._pygame = pygame
        pygame.display.init()  # not pygame.init(): its sound complains on machines without any
        self._screen = pygame.display.set_mode((WIDTH, HEIGHT))
        pygame.display.set_caption("Hamlet")
        self._clock = pygame.time.Clock()

    def show(self, picture: NDArray[np.uint8]) -> None:
        """Show a picture, at most `FPS` a second."""
        pygame = self._pygame
        surface = pygame.surfarray.make_surface(picture.transpose(1, 0, 2))
        self._screen.blit(surface, (0, 0))
        pygame.event.pump()
        self._clock.tick(FPS)
        pygame.display.flip()

    def close(self) -> None:
        """Close the window."""
        self._pygame.display.quit()


def _painter(worlds: Worlds) -> Any:
    try:
        from hamlet_trio.film.scene import ScenePainter  # noqa: PLC0415 - an extra
    except ModuleNotFoundError as error:
        raise _missing(error.name or "Pillow", "film") from error
    config = worlds.config
    about = f"{config.width} x {config.height} cells, {config.reward} reward"
    return ScenePainter(config, title="Hamlet", about=about)


def _missing(package: str, extra: str) -> ModuleNotFoundError:
    sentence = f'rendering needs {package}: pip install "hamlet-trio[{extra}]"'
    return ModuleNotFoundError(sentence, name=package)


def draw(worlds: Worlds) -> str:
    """Return world 0 as text: one line for each row of the grid, then one for each agent's meters.

    An affordance is its initial, a live agent its number (modulo 10) or @ where it is the only one.
    """
    config = worlds.config
    grid = [["."] * config.width for _ in range(config.height)]
    for affordance in config.affordances:
        grid[affordance.y][affordance.x] = affordance.name[0]
    for agent in reversed(range(config.num_agents)):
        if worlds.alive[0, agent]:
            x, y = worlds.positions[0, agent].tolist()
            grid[y][x] = "@" if config.num_agents == 1 else str(agent % 10)
    lines = [" ".join(row) for row in grid]
    for agent in range(config.num_agents):
        values = zip(METERS, worlds.meters[0, agent].tolist(), strict=True)
        lines.append(f"agent_{agent}: " + ", ".join(f"{meter} {value:.1f}" for meter, value in values))
    return "\n".join(lines) + "\n"
