/** A move of more cells than this is a jump to elsewhere (a new episode), not a walk. */
const WALK = 1.5
/** No walk takes longer than this, however slow the session: a step is seen as a step. */
const LONGEST_MS = 240
/** How far an agent that walks into a wall leans into it, in cells. */
const LEAN = 0.16
/** A lean is as smooth as its swing in so many straight pieces. */
const LEAN_PIECES = 6

export interface Point {
  x: number
  y: number
}

/**
 * Compute where one agent is drawn between two frames.
 *
 * Each frame sets the cell to reach and how long a step takes at the moment; `at` gives the place at
 * an instant, and `rest` the way from there for the browser to animate. A new frame starts from wherever the agent is drawn then, so that at any rate of frames
 * the drawing is at most one step behind and never queues.
 */
export class Motion {
  private from: Point = { x: 0, y: 0 }
  private to: Point = { x: 0, y: 0 }
  private start = 0
  /** How many ms the walk takes in all; 0 for a jump. */
  duration = 0
  private lean: Point = { x: 0, y: 0 }
  private placed = false
  /** How many moves there were: what drew the last one need not draw again. */
  moves = 0

  /** Go to a cell within `interval` ms; `still` (reduced motion) places the agent there at once. */
  moveTo(cell: Point, now: number, interval: number, still: boolean): void {
    const here = this.walk(now)
    const far = Math.abs(cell.x - this.to.x) + Math.abs(cell.y - this.to.y) > WALK
    this.to = { x: cell.x, y: cell.y }
    this.lean = { x: 0, y: 0 }
    this.start = now
    const jump = still || far || !this.placed
    this.from = jump ? this.to : here
    this.duration = jump ? 0 : Math.min(interval, LONGEST_MS)
    this.placed = true
    this.moves += 1
  }

  /** Lean towards a wall and back: the step was made, the cell stayed. */
  bump(direction: Point, now: number, interval: number, still: boolean): void {
    this.moveTo(this.to, now, interval, still)
    if (!still && interval > 60) this.lean = { x: direction.x * LEAN, y: direction.y * LEAN }
  }

  at(now: number): Point {
    const { x, y } = this.walk(now)
    if (!this.moving(now)) return { x, y }
    const swing = Math.sin(this.part(now) * Math.PI)
    return { x: x + this.lean.x * swing, y: y + this.lean.y * swing }
  }

  moving(now: number): boolean {
    return this.part(now) < 1
  }

  /** Return the places from an instant on, evenly apart in time, and how many ms they take; none at its end. */
  rest(now: number): { places: readonly Point[]; duration: number } | null {
    if (!this.moving(now)) return null
    const end = this.start + this.duration
    const from = Math.max(now, this.start)
    const pieces = this.lean.x === 0 && this.lean.y === 0 ? 1 : LEAN_PIECES
    const places = Array.from({ length: pieces + 1 }, (_, index) => this.at(from + ((end - from) * index) / pieces))
    return { places, duration: end - from }
  }

  /** Return the place on the way, without leaning. */
  private walk(now: number): Point {
    const part = this.part(now)
    return {
      x: this.from.x + (this.to.x - this.from.x) * part,
      y: this.from.y + (this.to.y - this.from.y) * part,
    }
  }

  private part(now: number): number {
    return this.duration > 0 ? Math.min(1, Math.max(0, (now - this.start) / this.duration)) : 1
  }
}

/** Measure the time between frames, smoothed: how long a walk takes. */
export class Pace {
  private last: number | null = null
  interval = 100

  tick(now: number): number {
    if (this.last !== null) {
      const gap = Math.min(now - this.last, 1000)
      this.interval += (gap - this.interval) * 0.25
    }
    this.last = now
    return this.interval
  }

  /** Ignore the gap before the next frame, for instance after a pause. */
  rest(): void {
    this.last = null
  }
}
