import type { Death, EpisodeEnd, Life, Marker } from '@/protocol/messages'
import { type WorldFrame, followedAgent } from '@/world/frame'
import { METERS, filled } from '@/world/meters'

/** A change of a meter, as a part of its bar, that a rounding cannot make. */
const CHANGE = 1e-6

/** One life step by step: what its picture is drawn from. Row k is the world after step `steps[k]`. */
export class LifeTrace {
  readonly steps: number[] = []
  /** Each meter as a part of its bar, in the order of `METERS`. */
  readonly meters: number[][] = METERS.map(() => [])
  readonly returns: number[] = []
  readonly cells: [number, number][] = []
  readonly markers: Marker[] = []
  /** How it ended; null while it goes on. */
  end: Pick<EpisodeEnd, 'reason' | 'failure_reason'> | null = null
  /** How it failed, as the server worked out; undefined until it told. */
  death: Death | null | undefined

  private ended = false

  constructor(readonly episode: number, readonly model: string | null) {}

  /** Return the life that the server told. */
  static of(life: Life): LifeTrace {
    const trace = new LifeTrace(life.episode, life.model_name)
    life.returns.forEach((total, row) => {
      trace.steps.push(Math.min(row * life.stride, life.steps))
      trace.returns.push(total)
      const [x, y] = life.cells[row] ?? []
      trace.cells.push([x ?? 0, y ?? 0])
    })
    METERS.forEach((kind, index) => { trace.meters[index]?.push(...(life.meters[kind.name] ?? [])) })
    trace.markers.push(...life.markers)
    const end = life.markers.find((marker) => marker.kind === 'end')
    // One of several agents that has ended stands by while the others live.
    if (end && end.step < trace.length) trace.cut(end.step)
    if (end) {
      const failed = end.what !== 'max_steps'
      trace.end = { reason: failed ? 'meter_depleted' : 'max_steps', failure_reason: failed ? end.what : null }
    }
    trace.death = life.death
    return trace
  }

  /** The number of the last step. */
  get length(): number {
    return this.steps.at(-1) ?? 0
  }

  private cut(step: number): void {
    const rows = this.rowAt(step) + 1
    for (const column of [this.steps, this.returns, this.cells, ...this.meters]) column.length = rows
    this.ended = true
  }

  /** Return this life up to a step, as the beginning of another one. */
  until(step: number, episode: number, model: string | null): LifeTrace {
    const trace = new LifeTrace(episode, model)
    const rows = this.rowAt(step) + 1
    trace.steps.push(...this.steps.slice(0, rows))
    trace.returns.push(...this.returns.slice(0, rows))
    trace.cells.push(...this.cells.slice(0, rows))
    this.meters.forEach((values, index) => { trace.meters[index]?.push(...values.slice(0, rows)) })
    trace.markers.push(...this.markers.filter((marker) => marker.step <= step && marker.kind !== 'end'))
    return trace
  }

  /** Add the world after the next step; a frame that is shown again adds nothing. */
  push(frame: WorldFrame): void {
    const agent = followedAgent(frame)
    const state = agent && frame.states[agent.id]
    if (agent === undefined || state === undefined || frame.step <= (this.steps.at(-1) ?? -1)) return
    // One of several agents that has ended stands by; its life is over.
    if (this.ended) return
    this.ended = state.alive === false
    const before = this.meters.map((values) => values.at(-1))
    this.steps.push(frame.step)
    this.returns.push(frame.total)
    this.cells.push([agent.x, agent.y])
    METERS.forEach((kind, index) => this.meters[index]?.push(filled(kind, state.meters[kind.name])))
    if (frame.step === 0) return
    if (agent.last_action === 'interact') this.noteUse(frame, before)
    METERS.forEach((kind, index) => {
      const [was, is] = [before[index], this.meters[index]?.at(-1)]
      const critical = kind.thresholds[0]
      if (was !== undefined && is !== undefined && was >= critical && is < critical) {
        this.markers.push({ step: frame.step, kind: 'critical', what: kind.name, count: 1 })
      }
    })
  }

  /** Note how it ended. */
  finish(end: EpisodeEnd): void {
    this.end = end
    const what = end.failure_reason ?? 'max_steps'
    if (end.reason === 'meter_depleted' || end.reason === 'max_steps') {
      this.markers.push({ step: end.steps, kind: 'end', what, count: 1 })
    }
  }

  /** Return the row of a step, or of the last one before it that has a row. */
  rowAt(step: number): number {
    let low = 0
    let high = this.steps.length - 1
    while (low < high) {
      const middle = Math.ceil((low + high) / 2)
      if ((this.steps[middle] ?? 0) <= step) low = middle
      else high = middle - 1
    }
    return low
  }

  /** An `interact` that raised a meter or cost money used the place; any other found nothing, or was refused. */
  private noteUse(frame: WorldFrame, before: readonly (number | undefined)[]): void {
    const agent = followedAgent(frame)
    const place = frame.affordances.find((one) => one.x === agent?.x && one.y === agent.y)
    const worked = METERS.some((kind, index) => {
      const change = (this.meters[index]?.at(-1) ?? 0) - (before[index] ?? 0)
      return kind.name === 'money' ? Math.abs(change) > CHANGE : change > CHANGE
    })
    if (place === undefined || !worked) return
    const last = this.markers.findLast((marker) => marker.kind === 'interaction')
    const again = last?.what === place.type && last.step + last.count === frame.step
    if (again) this.markers[this.markers.lastIndexOf(last)] = { ...last, count: last.count + 1 }
    else this.markers.push({ step: frame.step, kind: 'interaction', what: place.type, count: 1 })
  }
}
