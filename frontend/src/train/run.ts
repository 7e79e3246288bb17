import { shallowReactive, shallowRef } from 'vue'

import { socketUrl } from '@/common/http'
import { told } from '@/language/server'
import { type ConnectionState, ReconnectingSocket } from '@/common/socket'
import type {
  EpisodeComplete,
  StartSweep,
  StartTraining,
  SweepStatus,
  PastEvent,
  TrainingCommand,
  TrainingMessage,
  TrainingStatus,
  WorldInfo,
} from '@/protocol/messages'
import { FrameFeed } from '@/session/feed'
import { progressed } from '@/sweep/sweep'
import { type RunEvent, type RunMessage, kindOf } from '@/train/events'
import { EpisodeSeries } from '@/train/series'
import { readingFrames } from '@/world/compact'
import { frameOfTraining } from '@/world/frame'

export interface RunState {
  status: TrainingStatus | null
  device: string | null
  /** The world of the run, once it has told; null where this page came later. */
  world: WorldInfo | null
  /** Of the newest finished episode, or of one that is shown live. */
  epsilon: number | null
  /** Of the shown episode. */
  shownEpsilon: number | null
  secondsLeft: number | null
  /** Whether an episode is shown right now. */
  showing: boolean
  error: { message: string; field: string | null } | null
}

export interface RunHooks {
  /** A model was saved. */
  saved?(): void
}

const MAX_EVENTS = 200

const CHART_MS = 400

/** Follow the server's one training run over a `/ws/training` connection. */
export class TrainingRun {
  readonly feed = new FrameFeed()
  readonly state: RunState = shallowReactive<RunState>({
    status: null,
    device: null,
    world: null,
    epsilon: null,
    shownEpsilon: null,
    secondsLeft: null,
    showing: false,
    error: null,
  })
  /** Newest first. */
  readonly events = shallowReactive<RunEvent[]>([])
  /** The run's episodes so far; replaced a few times a second at most. */
  readonly episodes = shallowRef<readonly EpisodeComplete[]>([])

  /** The sweep that is on, or was last. */
  readonly sweep = shallowRef<SweepStatus | null>(null)

  /** The model that the last run of this server ended with, while no other run is on. */
  readonly model = shallowRef<string | null>(null)

  private readonly socket: ReconnectingSocket<TrainingMessage, TrainingCommand>
  /** Whether compact frames were asked for on this connection. */
  private asked = false
  private readonly series = new EpisodeSeries<EpisodeComplete>()
  private publishing: ReturnType<typeof setTimeout> | null = null
  private runId: string | null = null
  /** The trainer failed and is being restarted. */
  private crashed = false
  private eventId = 0

  constructor(
    private readonly hooks: RunHooks = {},
    url: string = socketUrl('ws/training'),
  ) {
    this.socket = new ReconnectingSocket(url, readingFrames({
      message: (message) => {
        if (!this.asked) this.asked = this.socket.send({ command: 'set_view', frames: 'compact' })
        this.receive(message)
      },
      down: () => { this.asked = false },
    }))
  }

  get connection(): ConnectionState {
    return this.socket.state
  }

  start(parameters: Omit<StartTraining, 'command' | 'type'>): void {
    this.state.error = null
    this.socket.send({ command: 'start_training', ...parameters })
  }

  startSweep(parameters: Omit<StartSweep, 'command'>): void {
    this.state.error = null
    this.socket.send({ command: 'start_sweep', ...parameters })
  }

  pause(): void {
    this.socket.send({ command: 'pause' })
  }

  resume(): void {
    this.socket.send({ command: 'resume' })
  }

  stop(): void {
    this.socket.send({ command: 'stop' })
  }

  setPace(stepDelay: number): void {
    this.socket.send({ command: 'set_show', step_delay: stepDelay })
  }

  dismissError(): void {
    this.state.error = null
  }

  retry(): void {
    this.socket.retry()
  }

  close(): void {
    this.socket.close()
    this.feed.close()
    if (this.publishing !== null) clearTimeout(this.publishing)
  }

  private receive(message: TrainingMessage): void {
    const { state } = this
    switch (message.type) {
      case 'training_status':
        this.follow(message.run_id)
        state.status = message
        if (message.state !== 'running') state.showing = false
        if (!message.is_training) state.secondsLeft = null
        this.afterCrash(message)
        break
      case 'training_history':
        this.series.replace(message.episodes)
        if (message.events) this.recall(message.events)
        this.state.epsilon ??= this.series.newest?.epsilon ?? null
        this.publishSoon()
        break
      case 'training_forecast':
        state.secondsLeft = message.seconds_left
        break
      case 'training_started':
        this.follow(message.run_id)
        state.error = null
        this.happened(message)
        break
      case 'episode_start':
        Object.assign(state, { showing: true, shownEpsilon: message.epsilon })
        break
      case 'state_update':
        Object.assign(state, { showing: true, shownEpsilon: message.epsilon })
        this.feed.push(frameOfTraining(message))
        break
      case 'episode_complete':
        this.completed(message)
        break
      case 'paused':
      case 'resumed':
      case 'checkpoint_saved':
      case 'training_complete':
      case 'training_stopped':
      case 'training_failed':
        this.happened(message)
        break
      case 'sweep_status':
        this.sweep.value = message
        if (message.state === 'running') state.error = null
        if (message.result.model !== null) this.hooks.saved?.()
        break
      case 'sweep_progress':
        if (this.sweep.value?.sweep_id === message.sweep_id) this.sweep.value = progressed(this.sweep.value, message)
        break
      case 'error':
        state.error = { message: told(message.message, message.code, message), field: message.field }
        break
    }
  }

  /** Start the charts from nothing for another run than the one on screen. */
  private follow(runId: string | null): void {
    if (runId === null || runId === this.runId) return
    this.runId = runId
    this.series.clear()
    this.feed.clear()
    Object.assign(this.state, { world: null, epsilon: null, shownEpsilon: null, secondsLeft: null, showing: false })
    this.model.value = null
    this.publishSoon()
  }

  /** Note that a new trainer has taken over, for which there is no message. */
  private afterCrash(status: TrainingStatus): void {
    if (!this.crashed || status.state === 'starting') return
    this.crashed = false
    if (status.state === 'running') this.note({ type: 'taken_over', episode: status.current_episode })
  }

  private completed(record: EpisodeComplete): void {
    this.series.add(record)
    this.state.epsilon = record.epsilon
    // In a showcase the episode on screen goes on.
    if (this.state.status?.parameters?.show !== 'showcase') this.feed.pace.rest()
    this.publishSoon()
  }

  /** Take over what happened before this page came. */
  private recall(past: readonly PastEvent[]): void {
    this.events.length = 0
    for (const { time, event } of past) this.take(event, new Date(time * 1000))
    this.hooks.saved?.()
  }

  private happened(event: RunMessage): void {
    if (event.type !== 'resumed' && event.type !== 'training_started' && event.type !== 'checkpoint_saved') this.feed.pace.rest()
    if (event.type === 'training_failed') this.crashed = event.restart
    this.take(event, new Date())
    if (event.type === 'checkpoint_saved' || ('model' in event && event.model)) this.hooks.saved?.()
  }

  private take(event: RunMessage, at: Date): void {
    if (event.type === 'training_started') {
      Object.assign(this.state, { device: event.device, world: event.world })
      this.model.value = null
    }
    const ended = event.type === 'training_complete' || event.type === 'training_stopped'
    if (ended) this.model.value = event.model
    this.note(event, at, ended ? event.model : null)
  }

  private publishSoon(): void {
    this.publishing ??= setTimeout(() => {
      this.publishing = null
      this.publish()
    }, CHART_MS)
  }

  private publish(): void {
    this.episodes.value = this.series.items
  }

  private note(what: RunEvent['what'], at: Date = new Date(), model: string | null = null): void {
    this.eventId += 1
    this.events.unshift({ id: this.eventId, at, what, kind: kindOf(what), ...(model !== null && { model }) })
    if (this.events.length > MAX_EVENTS) this.events.length = MAX_EVENTS
  }
}
