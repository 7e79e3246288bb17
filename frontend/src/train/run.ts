import { shallowReactive, shallowRef } from 'vue'

import { socketUrl } from '@/common/http'
import { type ConnectionState, ReconnectingSocket } from '@/common/socket'
import type {
  EpisodeComplete,
  StartTraining,
  TrainingCommand,
  TrainingComplete,
  TrainingMessage,
  TrainingStatus,
  TrainingStopped,
  WorldInfo,
} from '@/protocol/messages'
import { FrameFeed } from '@/session/feed'
import { EpisodeSeries } from '@/train/series'
import { TimeLeft } from '@/train/timeleft'
import { frameOfTraining } from '@/world/frame'
import { networkLabel, shortName } from '@/models/details'

export type EventKind = 'started' | 'saved' | 'paused' | 'resumed' | 'stopped' | 'failed' | 'finished'

export interface RunEvent {
  id: number
  at: Date
  kind: EventKind
  text: string
  /** The model that a run ended with. */
  model?: string
}

export interface RunState {
  status: TrainingStatus | null
  device: string | null
  /** The world of the run, once it has told; null where this page came later. */
  world: WorldInfo | null
  /** Of the shown episode or of the newest finished one. */
  epsilon: number | null
  secondsLeft: number | null
  /** Whether an episode is shown right now. */
  showing: boolean
  error: { message: string; field: string | null } | null
}

export interface RunHooks {
  /** A model was saved. */
  saved?(): void
  /** Something happened; gets all events, newest first. */
  noted?(events: readonly RunEvent[]): void
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
    secondsLeft: null,
    showing: false,
    error: null,
  })
  /** Newest first. */
  readonly events = shallowReactive<RunEvent[]>([])
  /** The run's episodes so far; replaced a few times a second at most. */
  readonly episodes = shallowRef<readonly EpisodeComplete[]>([])

  private readonly socket: ReconnectingSocket<TrainingMessage, TrainingCommand>
  private readonly series = new EpisodeSeries<EpisodeComplete>()
  private readonly timeLeft = new TimeLeft()
  private publishing: ReturnType<typeof setTimeout> | null = null
  private runId: string | null = null
  /** The trainer failed and is being restarted. */
  private crashed = false
  private eventId = 0

  constructor(
    private readonly hooks: RunHooks = {},
    remembered: readonly RunEvent[] = [],
    url: string = socketUrl('ws/training'),
  ) {
    this.events.push(...remembered)
    this.eventId = Math.max(0, ...remembered.map(({ id }) => id))
    this.socket = new ReconnectingSocket(url, { message: (message) => { this.receive(message) } })
  }

  get connection(): ConnectionState {
    return this.socket.state
  }

  start(parameters: Omit<StartTraining, 'command' | 'type'>): void {
    this.state.error = null
    this.socket.send({ command: 'start_training', ...parameters })
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
        this.afterCrash(message)
        break
      case 'training_history':
        this.series.replace(message.episodes)
        this.state.epsilon ??= this.series.newest?.epsilon ?? null
        this.publishSoon()
        break
      case 'training_started':
        this.follow(message.run_id)
        state.device = message.device
        state.world = message.world
        state.error = null
        this.note('started', `${message.num_episodes} episodes, ${
          networkLabel(message.network_type)}, on ${message.device}`)
        break
      case 'episode_start':
        Object.assign(state, { showing: true, epsilon: message.epsilon })
        break
      case 'state_update':
        state.showing = true
        this.feed.push(frameOfTraining(message))
        break
      case 'episode_complete':
        this.completed(message)
        break
      case 'paused':
        this.halted()
        this.note('paused', `in episode ${message.episode}, after step ${message.step}`)
        break
      case 'resumed':
        this.note('resumed', `in episode ${message.episode}, at the very next step`)
        break
      case 'checkpoint_saved':
        this.hooks.saved?.()
        this.note('saved', `${shortName(message.model)}, after episode ${message.episode}`)
        break
      case 'training_complete':
        this.halted()
        this.ended('finished', message, [`its last episodes survived ${Math.round(message.final_avg_length)} steps`])
        break
      case 'training_stopped':
        this.halted()
        this.ended('stopped', message, [message.reason])
        break
      case 'training_failed':
        this.halted()
        this.crashed = message.restart
        this.note('failed', message.restart
          ? `${message.reason} It goes on from its last checkpoint.`
          : message.reason)
        break
      case 'error':
        state.error = { message: message.message, field: message.field }
        break
    }
  }

  /** Start the charts from nothing for another run than the one on screen. */
  private follow(runId: string | null): void {
    if (runId === null || runId === this.runId) return
    this.runId = runId
    this.series.clear()
    this.feed.clear()
    this.timeLeft.restart()
    Object.assign(this.state, { world: null, epsilon: null, secondsLeft: null, showing: false })
    this.publishSoon()
  }

  /** Note that a new trainer has taken over, for which there is no message. */
  private afterCrash(status: TrainingStatus): void {
    if (!this.crashed || status.state === 'starting') return
    this.crashed = false
    if (status.state === 'running') this.note('resumed', `by a new trainer, in episode ${status.current_episode}`)
  }

  private completed(record: EpisodeComplete): void {
    this.series.add(record)
    this.timeLeft.tick(performance.now())
    this.state.epsilon = record.epsilon
    this.feed.pace.rest()
    this.publishSoon()
  }

  /** Note how the run ended, with the model that it saved. */
  private ended(kind: EventKind, end: TrainingComplete | TrainingStopped, said: string[]): void {
    const { model } = end
    if (model !== null) this.hooks.saved?.()
    this.note(kind, [...said, ...(model === null ? [] : [`saved as ${shortName(model)}`])].join('; '), model)
  }

  private halted(): void {
    this.timeLeft.restart()
    this.feed.pace.rest()
  }

  private publishSoon(): void {
    this.publishing ??= setTimeout(() => {
      this.publishing = null
      this.publish()
    }, CHART_MS)
  }

  private publish(): void {
    this.episodes.value = this.series.items
    const { status } = this.state
    const done = this.series.newest?.episode ?? 0
    const left = (status?.parameters?.num_episodes ?? status?.total_episodes ?? 0) - done
    this.state.secondsLeft = left > 0 ? this.timeLeft.estimate(left, this.series.items) : null
  }

  private note(kind: EventKind, text: string, model: string | null = null): void {
    this.eventId += 1
    this.events.unshift({ id: this.eventId, at: new Date(), kind, text, ...(model !== null && { model }) })
    if (this.events.length > MAX_EVENTS) this.events.length = MAX_EVENTS
    this.hooks.noted?.(this.events)
  }
}
