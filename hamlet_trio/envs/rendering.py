"""Render worlds: as text, as pictures by the film's painter, or in a window."""

from importlib.util import find_spec
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from hamlet_trio.envs.trail import Trail
from hamlet_trio.world import FAILURE_REASONS, METERS, StepResult, Worlds
from hamlet_trio.world.batch import WorldIndices

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
    """Render worlds, of which it is told each reset and step; in mode `human` `show` shows world 0.

    A picture shows the meters, the return and the way of each world's first agent.

    Resource handling: the window opens with its first picture, and `close` closes it. Copies and pickles have
    no window until they show something.
    """

    def __init__(self, mode: str | None, worlds: Worlds) -> None:
        """Make a renderer.

        Raises:
            ValueError: for an unknown mode.
            ModuleNotFoundError: where a mode needs an extra that is not installed; the message names it.
        """
        check_render_mode(mode)
        self._mode = mode
        self._worlds = worlds
        self._trail: Trail | None = None
        if mode in ("human", "rgb_array"):
            _check_extras(mode)
            self._trail = Trail(worlds)
        self._painter: Any = None
        self._window: _Window | None = None

    def __getstate__(self) -> dict[str, Any]:
        return self.__dict__ | {"_painter": None, "_window": None}

    def begin(self, worlds: WorldIndices | None = None) -> None:
        """Note that an episode begins in these worlds, by default in all."""
        if self._trail is not None:
            self._trail.begin(worlds)

    def note(self, actions: ArrayLike, result: StepResult, worlds: WorldIndices | None = None) -> None:
        """Note a step of these worlds, with the action (n,) of each one's first agent."""
        if self._trail is not None:
            self._trail.note(actions, result, worlds)

    def show(self) -> None:
        """Show the present moment of world 0 in the window, if the mode is `human`."""
        if self._mode == "human":
            self._window = self._window or _Window()
            self._window.show(self._picture(0))

    def render(self, world: int = 0) -> NDArray[np.uint8] | str | None:
        """Return (540, 960, 3) uint8 in mode `rgb_array`, text in `ansi`, else None."""
        if self._mode == "ansi":
            return draw(self._worlds, world)
        return self._picture(world) if self._mode == "rgb_array" else None

    def close(self) -> None:
        """Close the window, if there is one."""
        if self._window is not None:
            self._window.close()
            self._window = None

    def _picture(self, world: int) -> NDArray[np.uint8]:
        from hamlet_trio.film.scene import Ending, ScenePainter  # noqa: PLC0415 - an extra

        if self._painter is None:
            config = self._worlds.config
            about = f"{config.width} x {config.height} cells, {config.reward} reward"
            self._painter = ScenePainter(config, title="Hamlet", about=about)
        ending = None
        if self._worlds.over[world]:
            ending = Ending(FAILURE_REASONS[int(self._worlds.failure[world, 0])])
        image = self._painter.paint(self._scene(world), ending)
        return np.asarray(image.reduce(2), dtype=np.uint8)

    def _scene(self, world: int) -> "Scene":
        from hamlet_trio.film.scene import Scene  # noqa: PLC0415 - an extra

        worlds, trail = self._worlds, self._trail
        assert trail is not None
        others = [
            tuple(worlds.positions[world, other].tolist())
            for other in range(1, worlds.num_agents)
            if worlds.alive[world, other]
        ]
        return Scene(
            step=int(worlds.steps[world]),
            steps=min(worlds.config.max_steps, _LONGEST),
            cells=trail.cells(world),
            action=trail.action(world),
            used=int(trail.used[world]),
            reward=float(trail.rewards[world]),
            total=float(trail.returns[world]),
            meters=worlds.meters[world, 0].tolist(),
            normalised=worlds.normalised([world])[0, 0].tolist(),
            others=others,
        )


class _Window:
    """The window of pygame, of which a process has one: whoever shows last is seen."""

    def __init__(self) -> None:
        import pygame  # noqa: PLC0415 - an extra

        self._pygame = pygame
        pygame.display.init()  # not pygame.init(): its sound complains on machines without any
        self._clock = pygame.time.Clock()

    def show(self, picture: NDArray[np.uint8]) -> None:
        """Show a picture, at most `FPS` a second; open the window where there is none."""
        pygame = self._pygame
        pygame.display.init()  # another environment may have closed it
        screen = pygame.display.get_surface()
        if screen is None or screen.get_size() != (WIDTH, HEIGHT):
            screen = pygame.display.set_mode((WIDTH, HEIGHT))
            pygame.display.set_caption("Hamlet")
        screen.blit(pygame.surfarray.make_surface(picture.transpose(1, 0, 2)), (0, 0))
        pygame.event.pump()
        self._clock.tick(FPS)
        pygame.display.flip()

    def close(self) -> None:
        """Close the window."""
        self._pygame.display.quit()


def _check_extras(mode: str | None) -> None:
    """Raise ModuleNotFoundError where a package is missing that pictures need, or a window."""
    try:
        import hamlet_trio.film.scene  # noqa: F401, PLC0415 - an extra
    except ModuleNotFoundError as error:
        raise _missing(error.name or "Pillow", "film") from error
    if mode == "human" and find_spec("pygame") is None:
        raise _missing("pygame", "human")


def _missing(package: str, extra: str) -> ModuleNotFoundError:
    sentence = f'rendering needs {package}: pip install "hamlet-trio[{extra}]"'
    return ModuleNotFoundError(sentence, name=package)


def draw(worlds: Worlds, world: int = 0) -> str:
    """Return a world as text: one line for each row of the grid, then one for each agent's meters.

    An affordance is its initial, a live agent its number (modulo 10) or @ where it is the only one.
    """
    config = worlds.config
    grid = [["."] * config.width for _ in range(config.height)]
    for affordance in config.affordances:
        grid[affordance.y][affordance.x] = affordance.name[0]
    for agent in reversed(range(config.num_agents)):
        if worlds.alive[world, agent]:
            x, y = worlds.positions[world, agent].tolist()
            grid[y][x] = "@" if config.num_agents == 1 else str(agent % 10)
    lines = [" ".join(row) for row in grid]
    for agent in range(config.num_agents):
        values = zip(METERS, worlds.meters[world, agent].tolist(), strict=True)
        lines.append(f"agent_{agent}: " + ", ".join(f"{meter} {value:.1f}" for meter, value in values))
    return "\n".join(lines) + "\n"
