import { shallowRef } from 'vue'

import { type DrawLoop, drawLoop, nextTurn, turnAt } from '@/world/loop'
import { Motion, Pace } from '@/world/motion'
import type { AffordanceMarker } from '@/protocol/messages'
import { type WorldFrame, following, sameGround } from '@/world/frame'
import type { ActionName } from '@/world/labels'

export interface Ground {
  width: number
  height: number
  places: readonly AffordanceMarker[]
}

/**
 * Text and bars follow at this rate, whatever the rate of frames. All feeds turn at the same instants, so
 * that compared sessions share one layout and one paint.
 */
const TEXT_MS = 100
/** Several worlds that move are drawn together, as often as television draws: nobody follows them all. */
const CALM_MOVE_MS = 1000 / 25
/** With several worlds side by side, nobody reads the digits of each ten times a second; each turn is also one of a move. */
const CALM_TEXT_MS = 6 * CALM_MOVE_MS
/** What shows a whole life follows twice a second, since one more step changes little in it; each turn is also one of calm text. */
const PICTURE_MS = 2 * CALM_TEXT_MS

const DIRECTIONS: Readonly<Partial<Record<ActionName, { x: number; y: number }>>> = {
  up: { x: 0, y: -1 },
  down: { x: 0, y: 1 },
  left: { x: -1, y: 0 },
  right: { x: 1, y: 0 },
}

/**
 * Hold what one stream of frames shows at the moment.
 *
 * `push` takes every frame and keeps only the newest, outside Vue's reactivity: a hundred frames a
 * second cost little more than parsing them. Agents are drawn from `motions` when one begins,
 * text from `snapshot` a few times a second, and the heat map and the pictures of whole lives from `pictured`.
 */
export class FrameFeed {
  frame: WorldFrame | null = null
  readonly motions = new Map<string, Motion>()
  readonly snapshot = shallowRef<WorldFrame | null>(null)
  readonly pictured = shallowRef<WorldFrame | null>(null)
  readonly ground = shallowRef<Ground | null>(null)
  readonly pace = new Pace()
  /** The agent whose figures frames show, of several. */
  readonly followed = shallowRef('agent_0')
  /** The lowest and the highest Q-value of the life so far, or of the whole recording that is replayed: as in a film. */
  readonly valueRange = shallowRef<readonly [number, number] | null>(null)
  /** Frames taken so far; for measurements. */
  received = 0
  /** Reduced motion: agents appear where they are. */
  still = false

  private textMs = TEXT_MS
  private moveMs = 0
  private ranged = false
  private textTurn = -1
  private pictureTurn = -1
  private readonly leave: () => void

  constructor(private readonly loop: DrawLoop = drawLoop) {
    this.leave = loop.add((now) => this.publish(now))
  }

  push(frame: WorldFrame, now: number = performance.now()): void {
    const previous = this.frame
    this.received += 1
    const interval = this.pace.tick(now)
    const fresh = previous === null || frame.step === 0 || frame.episode !== previous.episode
    for (const agent of frame.agents) {
      let motion = this.motions.get(agent.id)
      if (motion === undefined) this.motions.set(agent.id, (motion = new Motion()))
      const before = previous?.agents.find((other) => other.id === agent.id)
      const stayed = before !== undefined && before.x === agent.x && before.y === agent.y
      const direction = agent.last_action && DIRECTIONS[agent.last_action]
      if (stayed && !fresh && direction) motion.bump(direction, now, interval, this.still)
      else if (!stayed || fresh) motion.moveTo(agent, now, interval, this.still || fresh)
    }
    if (previous === null || !sameGround(previous, frame)) {
      this.ground.value = { width: frame.width, height: frame.height, places: frame.affordances }
      this.motions.forEach((_, id) => {
        if (!frame.agents.some((agent) => agent.id === id)) this.motions.delete(id)
      })
    }
    if (frame.episode !== previous?.episode && !this.ranged) this.valueRange.value = null
    this.widen(frame.qValues)
    this.frame = following(frame, this.followed.value)
    this.loop.wake(this.moveMs > 0 ? nextTurn(now, this.moveMs) : 0, now)
  }

  /** Show another agent's figures from the frame on screen on. */
  follow(agent: string): void {
    this.followed.value = agent
    this.valueRange.value = null
    if (this.frame === null) return
    this.frame = { ...following(this.frame, agent), qValues: null, attention: null, options: null }
    this.show()
    this.loop.wake()
  }

  /** Show values on the range of a recording; null: on that of the lives that are shown. */
  setRange(range: readonly number[] | null): void {
    const [low, high] = range ?? []
    const whole = low === undefined || high === undefined ? null : [low, high] as const
    this.ranged = whole !== null
    this.valueRange.value = whole
    if (range === null) this.widen(this.frame?.qValues ?? null)
  }

  private widen(values: readonly number[] | null): void {
    if (this.ranged || values === null) return
    const [low, high] = this.valueRange.value ?? [Infinity, -Infinity]
    const range = [Math.min(low, ...values), Math.max(high, ...values)] as const
    if (range[0] < low || range[1] > high) this.valueRange.value = range
  }

  setStill(still: boolean): void {
    this.still = still
  }

  /** Draw moves, text and bars less often, for one of several worlds on screen. */
  calm(): void {
    this.moveMs = CALM_MOVE_MS
    this.textMs = CALM_TEXT_MS
  }

  /** Add a policy's outputs to the frame on screen; they are of the next step. */
  amend(extras: Pick<WorldFrame, 'qValues' | 'attention' | 'options'>): void {
    if (this.frame === null) return
    this.frame = { ...this.frame, ...extras, ahead: true }
    this.widen(extras.qValues)
    this.loop.wake()
  }

  /** Show the newest frame in text, bars and pictures now, not at their next turn. */
  show(): void {
    this.snapshot.value = this.frame
    this.pictured.value = this.frame
  }

  /** Forget the stream, for instance after the connection was lost for good. */
  clear(): void {
    this.frame = null
    this.motions.clear()
    this.snapshot.value = null
    this.pictured.value = null
    this.ground.value = null
    this.pace.rest()
  }

  close(): void {
    this.leave()
  }

  /** Publish what has its turn; return when the next turn is of what is not published yet. */
  private publish(now: number): number {
    const { frame } = this
    if (frame === null) return Infinity
    const textTurn = turnAt(now, this.textMs)
    if (this.snapshot.value !== frame && textTurn !== this.textTurn) {
      this.textTurn = textTurn
      this.snapshot.value = frame
    }
    const pictureTurn = turnAt(now, PICTURE_MS)
    if (this.pictured.value !== frame && pictureTurn !== this.pictureTurn) {
      this.pictureTurn = pictureTurn
      this.pictured.value = frame
    }
    return Math.min(
      this.snapshot.value === frame ? Infinity : nextTurn(now, this.textMs),
      this.pictured.value === frame ? Infinity : nextTurn(now, PICTURE_MS),
    )
  }
}
