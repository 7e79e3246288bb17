/** Draw; return whether to draw again at the next screen refresh. */
export type Draw = (now: number) => boolean

/**
 * Run one animation-frame loop for everything that moves.
 *
 * Messages may arrive faster than the screen refreshes: they only store what is newest and call
 * `wake`. The loop runs once a refresh while anything wants to be drawn, and rests otherwise.
 */
export class DrawLoop {
  private readonly draws = new Set<Draw>()
  private handle: number | null = null

  constructor(
    private readonly request: (callback: FrameRequestCallback) => number = (callback) =>
      requestAnimationFrame(callback),
    private readonly cancel: (handle: number) => void = (handle) => { cancelAnimationFrame(handle) },
  ) {}

  /** Add a drawing; the returned function takes it out again. */
  add(draw: Draw): () => void {
    this.draws.add(draw)
    this.wake()
    return () => {
      this.draws.delete(draw)
      if (this.draws.size === 0 && this.handle !== null) {
        this.cancel(this.handle)
        this.handle = null
      }
    }
  }

  /** Draw at the next refresh, because something changed. */
  wake(): void {
    if (this.handle === null && this.draws.size > 0) this.handle = this.request(this.run)
  }

  private readonly run = (now: number): void => {
    this.handle = null
    let again = false
    for (const draw of this.draws) again = draw(now) || again
    if (again) this.wake()
  }
}

export const drawLoop = new DrawLoop()
