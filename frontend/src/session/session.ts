import { shallowReactive, shallowRef } from 'vue'

import { socketUrl } from '@/common/http'
import { Link, type LinkState } from '@/common/socket'
import type {
  Branched,
  EpisodeEnd,
  InferenceCommand,
  InferenceMessage,
  Playback,
  View,
} from '@/protocol/messages'
import { FrameFeed } from '@/session/feed'
import { Replays } from '@/replay/controller'
import { frameOfInference } from '@/world/frame'

export interface SessionState {
  sessionId: string | null
  models: string[]
  model: string | null
  networkType: string | null
  /** The model that is being loaded. */
  loading: string | null
  playing: boolean
  speed: number
  controller: Playback['controller']
  episode: number
  /** The episode on screen is over and the next has not begun. */
  over: EpisodeEnd | null
  /** How the last finished episode ended. */
  last: EpisodeEnd | null
  /** What the server refused, in its words. */
  error: string | null
}

/** What the person chose; a new connection is brought to it again. */
export interface Wish {
  model: string | null
  speed: number
  playing: boolean
  human: boolean
  think: boolean
  /** The recording to replay. */
  recording: string | null
}

export interface FinishedEpisode {
  /** The model that played it, null for the untrained agent. */
  model: string | null
  /** Who chose the actions; an episode that changed hands counts for nobody. */
  by: 'policy' | 'human' | 'both'
  end: EpisodeEnd
}

const SPEED_SETTLES_MS = 600
const KEPT_EPISODES = 300
const MOST_ACTS_WAITING = 3

/** One `/ws` connection with its world: its own model, speed, episode and statistics. */
export class InferenceSession {
  readonly feed = new FrameFeed()
  readonly state: SessionState = shallowReactive<SessionState>({
    sessionId: null,
    models: [],
    model: null,
    networkType: null,
    loading: null,
    playing: false,
    speed: 1,
    controller: 'policy',
    episode: 0,
    over: null,
    last: null,
    error: null,
  })
  /** Steps survived in each episode that this session's model finished, newest last. */
  readonly survived = shallowRef<readonly number[]>([])
  /** What was asked for holds at once in the view; the server's word of it, in `state`, may be a moment late. */
  readonly wish: Wish

  readonly replays: Replays

  private readonly connection: Link<InferenceMessage, InferenceCommand>
  private acts: number[] = []
  private acting = false
  private hands = new Set<Playback['controller']>()
  private speedSentAt = -Infinity
  private lastButOne: EpisodeEnd | null = null

  constructor(
    wish: Partial<Wish> = {},
    private readonly finished: (episode: FinishedEpisode) => void = () => undefined,
    url: string = socketUrl('ws'),
  ) {
    this.wish = shallowReactive<Wish>({
      model: null, speed: 1, playing: false, human: false, think: false, recording: null, ...wish,
    })
    this.state.speed = this.wish.speed
    this.replays = new Replays(this.feed, (command) => this.connection.send(command), this.wish)
    this.connection = new Link(url, {
      message: (message) => { this.receive(message) },
      down: () => {
        this.forgetActs()
        this.replays.down()
        Object.assign(this.state, { playing: false, loading: null, sessionId: null })
      },
    })
  }

  get link(): LinkState {
    return this.connection.state
  }

  play(): void {
    this.wish.playing = true
    this.replays.dismissKept()
    this.connection.send({ command: 'play' })
  }

  pause(): void {
    this.wish.playing = false
    this.connection.send({ command: 'pause' })
  }

  toggle(): void {
    if (this.state.playing) this.pause()
    else this.play()
  }

  /**
   * Exactly one step; a playing session, or one that is just told to play, is paused first. In a replay it is the
   * next one that was made, and none follows the last.
   */
  step(): void {
    if (this.state.playing || this.wish.playing) this.pause()
    this.replays.dismissKept()
    if (this.replays.state.replay !== null) this.replays.forth()
    else this.connection.send({ command: 'step' })
  }

  reset(): void {
    this.connection.send({ command: 'reset' })
  }

  setSpeed(speed: number): void {
    this.wish.speed = speed
    this.state.speed = speed
    this.speedSentAt = performance.now()
    this.connection.send({ command: 'set_speed', speed })
  }

  load(model: string): void {
    // Another model begins another episode, and ends a replay with that.
    this.wish.recording = null
    this.ask(model)
  }

  /** Ask for Q-values and attention with every frame, or for neither. */
  setThink(think: boolean): void {
    this.wish.think = think
    this.connection.send({ command: 'set_view', q_values: think, attention: think })
  }

  takeControl(): void {
    this.wish.human = true
    this.connection.send({ command: 'take_control' })
  }

  releaseControl(): void {
    this.wish.human = false
    // Keys that still wait were meant for one's own hands.
    this.forgetActs()
    this.connection.send({ command: 'release_control' })
  }

  /**
   * One step by the person's hand, once `takeControl` was called: the server takes commands in their order,
   * so nobody waits for its answer to that. The next is sent when this one is seen, so that fast keys never act
   * in a world that is not yet on screen: after an end, what was pressed for the old life is void.
   */
  act(action: number): void {
    this.replays.dismissKept()
    if (this.acts.length < MOST_ACTS_WAITING) this.acts.push(action)
    this.sendAct()
  }

  /** From the step on screen the model goes on, in a life of its own. */
  goOn(): void {
    if (this.replays.state.replay?.recording !== null) {
      this.takeControl()
      this.releaseControl()
    }
    this.play()
  }

  dismissError(): void {
    this.state.error = null
  }

  retry(): void {
    this.connection.retry()
  }

  close(): void {
    this.connection.close()
    this.feed.close()
  }

  private receive(message: InferenceMessage): void {
    const { state } = this
    switch (message.type) {
      case 'connected':
        Object.assign(state, {
          sessionId: message.session_id,
          models: message.available_models,
          model: message.model_name,
          networkType: message.network_type,
          controller: 'policy',
          error: null,
        })
        this.restore()
        break
      case 'episode_start':
        Object.assign(state, { episode: message.episode, model: message.model_name, over: null })
        this.hands = new Set()
        break
      case 'state_update':
        this.feed.push(frameOfInference(message))
        this.replays.shown(message.step)
        if (this.replays.state.replay !== null) break
        if (message.step > 0) this.hands.add(state.controller)
        // After the last frame of a life its end follows, which voids what waits: until then nothing is sent.
        this.acting = message.done
        this.sendAct()
        // A frame tells what the last step was chosen from; a hint is about the world that is there now.
        if (this.wish.human && this.wish.think && !this.acting) this.setThink(true)
        break
      case 'episode_end':
        this.ended(message)
        break
      case 'model_loaded':
        if (state.loading === message.model) state.loading = null
        this.survived.value = []
        Object.assign(state, { model: message.model, networkType: message.network_type, error: null })
        this.goOnAsWished()
        break
      case 'playback':
        this.transport(message)
        break
      case 'view':
        this.viewed(message)
        break
      case 'replay_started':
        this.replays.started(message)
        state.error = null
        break
      case 'replay_ended':
        this.replays.ended()
        break
      case 'branched':
        this.branched(message)
        break
      case 'recording_saved':
        this.replays.saved(message.recording)
        break
      case 'error':
        state.error = message.message
        this.replays.refused(message.command)
        if (message.command === 'act') this.forgetActs()
        if (message.command === 'take_control') this.wish.human = false
        if (message.command === 'load_model') {
          state.loading = null
          this.wish.model = state.model
          this.goOnAsWished()
        }
        break
    }
  }

  private sendAct(): void {
    const action = this.acting ? undefined : this.acts.shift()
    if (action !== undefined) this.acting = this.connection.send({ command: 'act', action })
  }

  private forgetActs(): void {
    this.acts = []
    this.acting = false
  }

  /** Bring a new connection to what was chosen on the last one. */
  private restore(): void {
    const { wish, state } = this
    if (wish.think) this.setThink(true)
    if (wish.speed !== 1) this.setSpeed(wish.speed)
    if (wish.human) this.takeControl()
    if (wish.model !== null && wish.model !== state.model) this.ask(wish.model)
    else this.goOnAsWished()
  }

  private ask(model: string): void {
    this.wish.model = model
    this.state.error = null
    if (this.connection.send({ command: 'load_model', model })) this.state.loading = model
  }

  /** The model that was wished for is there, or never will be. */
  private goOnAsWished(): void {
    if (this.wish.recording !== null) this.replays.open(this.wish.recording)
    else if (this.wish.playing && !this.state.playing) this.play()
  }

  private ended(end: EpisodeEnd): void {
    this.state.over = end
    this.forgetActs()
    // An episode that was thrown away before its first step tells nothing.
    if (end.steps > 0) {
      this.lastButOne = this.state.last
      this.state.last = end
    }
    this.feed.pace.rest()
    if (this.hands.size === 0) return
    const by = this.hands.size > 1 ? 'both' : this.hands.has('human') ? 'human' : 'policy'
    if (end.reason === 'meter_depleted' || end.reason === 'max_steps') {
      this.survived.value = [...this.survived.value, end.steps].slice(-KEPT_EPISODES)
    }
    this.finished({ model: this.state.model, by, end })
  }

  /** A life that begins in the middle of another is nobody's whole life: it stands in no record. */
  private branched(branch: Branched): void {
    Object.assign(this.state, { episode: branch.episode, model: branch.model_name, over: null })
    // The life that waited was given up for this one; that is no ending worth telling.
    if (this.state.last?.reason === 'reset') this.state.last = this.lastButOne
    this.forgetActs()
    this.hands = new Set(['policy', 'human'])
  }

  private transport(playback: Playback): void {
    const { state } = this
    if (!playback.playing || playback.controller === 'human') this.feed.pace.rest()
    state.playing = playback.playing
    state.controller = playback.controller
    // It has come to its end by itself.
    if (playback.controller === 'recording' && !playback.playing) this.wish.playing = false
    // While a slider is being dragged, an answer to an earlier value must not pull it back.
    if (performance.now() - this.speedSentAt > SPEED_SETTLES_MS) state.speed = playback.speed
  }

  /** A view switched on while paused shows the values of the world on screen at once. */
  private viewed(view: View): void {
    this.feed.amend({
      qValues: view.q_values ? view.current_q_values : null,
      attention: view.attention ? view.current_attention : null,
    })
  }
}
