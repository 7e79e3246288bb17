/** Draw; return the instant from which on to draw again: 0 for the next screen refresh, Infinity for not before it is woken. */
export type Draw = (now: number) => number

/** A timer for what is due later ends so much before, since the next refresh comes up to 17 ms after it. */
const EARLY_MS = 12

/**
 * Return the number of the turn that an instant belongs to, of turns of `every` ms that all who draw share. A turn has come
 * with the refresh that its timer may lead to, although that is a little early: else the next refresh would draw again.
 */
export function turnAt(now: number, every: number): number {
  return Math.floor((now + EARLY_MS) / every)
}

/** Return the instant at which the next turn begins. */
export function nextTurn(now: number, every: number): number {
  return (turnAt(now, every) + 1) * every
}

/**
 * Run one animation-frame loop for everything that changes with frames.
 *
 * Messages may arrive faster than the screen refreshes: they only store what is newest and call
 * `wake`. The loop runs when something is due, and rests otherwise.
 */
export class DrawLoop {
  private readonly draws = new Set<Draw>()
  private handle: number | null = null
  private timer: number | null = null
  /** When the timer's drawing is due. */
  private due = Infinity

  constructor(
    private readonly request: (callback: FrameRequestCallback) => number = (callback) =>
      requestAnimationFrame(callback),
    private readonly cancel: (handle: number) => void = (handle) => { cancelAnimationFrame(handle) },
    private readonly after: (callback: () => void, wait: number) => number = (callback, wait) =>
      window.setTimeout(callback, wait),
    private readonly forget: (timer: number) => void = (timer) => { clearTimeout(timer) },
  ) {}

  /** Add a drawing; the returned function takes it out again. */
  add(draw: Draw): () => void {
    this.draws.add(draw)
    this.wake()
    return () => {
      this.draws.delete(draw)
      if (this.draws.size > 0) return
      this.unwind()
      if (this.handle !== null) this.cancel(this.handle)
      this.handle = null
    }
  }

  /** Draw because something changed: at the next refresh, or from the instant `at` on. */
  wake(at = 0, now: number = performance.now()): void {
    if (this.handle !== null || this.draws.size === 0 || at >= this.due) return
    this.unwind()
    const wait = at - EARLY_MS - now
    if (wait <= 0) this.handle = this.request(this.run)
    else {
      this.due = at
      this.timer = this.after(() => {
        this.unwind()
        this.wake()
      }, wait)
    }
  }

  private unwind(): void {
    if (this.timer !== null) this.forget(this.timer)
    this.timer = null
    this.due = Infinity
  }

  private readonly run = (now: number): void => {
    this.handle = null
    let due = Infinity
    for (const draw of this.draws) due = Math.min(due, draw(now))
    if (due !== Infinity) this.wake(due, now)
  }
}

export const drawLoop = new DrawLoop()
