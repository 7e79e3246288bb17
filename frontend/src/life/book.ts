import { shallowRef } from 'vue'

import { LifeTrace } from '@/life/trace'
import type { EpisodeEnd, Life } from '@/protocol/messages'
import type { WorldFrame } from '@/world/frame'

/** Whole lives that are kept for comparison. */
const KEPT_LIVES = 12

/** The lives of one session: the one in progress, those before it, and the one that is replayed. */
export class LifeBook {
  current: LifeTrace | null = null
  /** Lives that were lived to their end, newest last. */
  past: readonly LifeTrace[] = []
  /** The whole life of the replay that is on. */
  replayed: LifeTrace | null = null
  /** Changes with everything but the next step of the current life, which the feed tells. */
  readonly revision = shallowRef(0)

  /** The life on screen. */
  get shown(): LifeTrace | null {
    return this.replayed ?? this.current
  }

  begin(episode: number, model: string | null): void {
    this.replayed = null
    this.current = new LifeTrace(episode, model)
    this.changed()
  }

  /** A life begins that shares its steps up to `step` with the one that is replayed. */
  branch(step: number, episode: number, model: string | null): void {
    this.current = (this.replayed ?? this.current)?.until(step, episode, model) ?? new LifeTrace(episode, model)
    this.replayed = null
    this.changed()
  }

  /** Add a step of the session's own life, which is on screen again with it. */
  push(frame: WorldFrame): void {
    this.current?.push(frame)
    if (this.replayed === null) return
    this.replayed = null
    this.changed()
  }

  end(end: EpisodeEnd): void {
    const { current } = this
    if (current === null || current.end !== null) return
    current.finish(end)
    if (end.reason === 'meter_depleted' || end.reason === 'max_steps') {
      this.past = [...this.past, current].slice(-KEPT_LIVES)
    }
    this.changed()
  }

  /** Take what the server told: the life that is replayed, or how the last one failed. */
  told(life: Life, replaying: boolean): void {
    if (replaying) this.replayed = LifeTrace.of(life)
    else if (life.agent !== undefined) this.replace(life)
    else {
      const failed = [...this.past, this.current].find((one) => one?.episode === life.episode && one.end !== null)
      if (failed) failed.death = life.death
    }
    this.changed()
  }

  /** Put the life of another agent of the same episode in the place of the one that was followed. */
  private replace(life: Life): void {
    const trace = LifeTrace.of(life)
    const other = (one: LifeTrace | null): boolean => one !== null && one.episode === life.episode
    this.past = this.past.map((one) => (other(one) ? trace : one))
    if (other(this.current)) this.current = trace
  }

  clear(): void {
    Object.assign(this, { current: null, past: [], replayed: null })
    this.changed()
  }

  private changed(): void {
    this.revision.value += 1
  }
}
