import { shallowReactive } from 'vue'

import { socketUrl } from '@/common/http'
import { type ConnectionState, ReconnectingSocket } from '@/common/socket'
import type { Branched, EpisodeEnd, InferenceCommand, InferenceMessage, Playback, StateUpdate } from '@/protocol/messages'
import { LifeBook } from '@/life/book'
import { FrameFeed } from '@/session/feed'
import { told } from '@/language/server'
import { ReplayController } from '@/replay/controller'
import { ActionQueue } from '@/session/actions'
import { Company } from '@/session/company'
import { LINGER_S, SPEED_SETTLES_MS } from '@/session/speeds'
import { StartChoice, parseStart } from '@/session/starts'
import { PolicyAsker } from '@/policy/asker'
import { Outcomes } from '@/session/outcomes'
import { Resumption } from '@/session/resumption'
import { type DesiredState, type FinishedEpisode, initialDesires, initialState } from '@/session/state'
import { readingFrames } from '@/world/compact'
import { frameOfInference, shownValues } from '@/world/frame'
import { ownDigest, parseSpec } from '@/worlds/spec'

/** Commands after which the world on screen is another one. */
const MOVES: ReadonlySet<InferenceCommand['command']> = new Set(['step', 'reset', 'act', 'seek', 'set_start', 'load_recording', 'leave_replay'])

/** Hold one `/ws` connection with its world: its own model, speed, episode and statistics. */
export class InferenceSession {
  readonly feed = new FrameFeed()
  readonly lives = new LifeBook()
  readonly state = shallowReactive(initialState())
  private readonly outcomes = new Outcomes()
  /** Steps survived in each episode that this session's model finished, newest last. */
  readonly survived = this.outcomes.survived
  /** What was asked for shows at once; `state`, which the server confirms, may be a moment late. */
  readonly desired: DesiredState

  readonly replays: ReplayController
  readonly starts = new StartChoice((command) => this.send(command))
  readonly company: Company
  readonly policy = new PolicyAsker((command) => this.socket.send(command))

  /** Hears of every frame, for those who follow this life. */
  published: ((update: StateUpdate) => void) | null = null
  /** Tells whether this life has to stand still now, and that somebody wanted it to go on. */
  holds: (() => boolean) | null = null

  private readonly resumption: Resumption
  private readonly socket: ReconnectingSocket<InferenceMessage, InferenceCommand>
  private readonly actions = new ActionQueue((action) => this.send({ command: 'act', action }))
  private speedSentAt = -Infinity
  private hidden = false
  private previousEnd: EpisodeEnd | null = null
  /** The chosen world that the server agreed to. */
  private confirmedWorld: string | null = null

  constructor(
    { start = null, ...desired }: Partial<DesiredState> & { start?: string | null } = {},
    private readonly finished: (episode: FinishedEpisode) => void = () => undefined,
    url: string = socketUrl('ws'),
    place: string | null = null,
  ) {
    this.desired = shallowReactive<DesiredState>({ ...initialDesires(), ...desired })
    this.state.speed = this.desired.speed
    this.starts.chosen.value = parseStart(start)
    this.replays = new ReplayController(this.feed, (command) => this.send(command), this.desired)
    this.company = new Company((command) => this.socket.send(command), this.feed, this.desired)
    this.resumption = new Resumption(place, this, (command) => this.socket.send(command), () => { this.socket.reopen() })
    this.socket = new ReconnectingSocket(url, readingFrames({
      message: (message) => { this.receive(message) },
      down: () => {
        this.resumption.down(this.connection.closeCode)
        this.actions.clear()
        this.replays.down()
        this.policy.down()
        Object.assign(this.state, { playing: false, loading: null, sessionId: null, player: null, shared: null })
      },
    }))
  }

  /** Pause while nobody sees the session, and play on afterwards if it played. */
  setHidden(hidden: boolean): void {
    if (hidden && this.playing) this.socket.send({ command: 'pause' })
    else if (!hidden && this.desired.playing && !this.desired.human) this.play()
    this.hidden = hidden
  }

  get connection(): ConnectionState { return this.socket.state }

  /** Whether it plays, or will once the model that is being loaded is there. */
  get playing(): boolean {
    return this.state.playing || (this.state.loading !== null && this.desired.playing)
  }

  /** Play; while a model is being loaded, that model plays as soon as it is there. */
  play(): void {
    if (this.holds?.()) return
    this.desired.playing = true
    this.replays.dismissRecorded()
    if (this.state.loading === null) this.socket.send({ command: 'play' })
  }

  pause(): void {
    this.desired.playing = false
    this.socket.send({ command: 'pause' })
  }

  toggle(): void {
    if (this.playing) this.pause()
    else this.play()
  }

  /**
   * Make exactly one step; a playing session, or one that was just told to play, is paused first. In a replay,
   * show the next recorded step.
   */
  step(): void {
    if (this.state.playing || this.desired.playing) this.pause()
    this.replays.dismissRecorded()
    if (this.replays.state.replay !== null) this.replays.forth()
    else this.send({ command: 'step' })
  }

  reset(): void { this.send({ command: 'reset' }) }

  setSpeed(speed: number): void {
    this.desired.speed = speed
    this.state.speed = speed
    this.speedSentAt = performance.now()
    // Whoever looks at one life sees how it ended, at any speed.
    const linger = this.desired.lingers ? { min_intermission: LINGER_S } : {}
    this.socket.send({ command: 'set_speed', speed, ...linger })
  }

  load(model: string): void {
    // Another model begins another episode, which ends a replay.
    this.desired.recording = null
    this.company.forgetCasts()
    this.ask(model)
  }

  /** Play in a world, as the address names it; null: in each model's own, which takes a new session. */
  setWorld(world: string | null): void {
    if (world === null) { this.begin(this.desired.model, null); return }
    this.desired.recording = null
    this.desired.world = world
    this.askWorld()
  }

  /** Begin anew with a model in a world: neither has to suit what was there before. */
  begin(model: string | null, world: string | null): void {
    Object.assign(this.desired, { model, world, recording: null })
    Object.assign(this.state, { error: null, worldError: null })
    this.resumption.forget()
    this.socket.reopen()
  }

  /** Ask for Q-values and attention with every frame, or for neither. */
  setThink(think: boolean): void {
    this.desired.think = think
    this.socket.send({ command: 'set_view', q_values: think, attention: think })
  }

  takeControl(): void {
    this.desired.human = true
    this.socket.send({ command: 'take_control', ...(this.company.count.value > 1 && { agent: this.company.followed }) })
  }

  releaseControl(): void {
    this.desired.human = false
    // Keys that still wait were the person's, not the model's.
    this.actions.clear()
    this.socket.send({ command: 'release_control' })
  }

  /**
   * Make one step with the person's action, once `takeControl` was called: the server takes commands in their order,
   * so its answer to that is not waited for.
   */
  act(action: number): void {
    this.replays.dismissRecorded()
    this.actions.push(action)
  }

  /** Get a place on the class leaderboard, and keep it on the next connection. */
  joinClass(): void {
    this.desired.joins = true
    this.socket.send({ command: 'join_class' })
  }

  /** Let the model go on from the step on screen, in a new life. */
  goOn(): void {
    if (this.replays.state.replay?.recording !== null) {
      this.takeControl()
      this.releaseControl()
    }
    this.play()
  }

  dismissNotice(): void { Object.assign(this.state, { error: null, lost: false }) }

  retry(): void { this.socket.retry() }

  close(): void {
    this.policy.close()
    this.socket.close()
    this.resumption.close()
    this.feed.close()
  }

  receive(message: InferenceMessage): void {
    const { state } = this
    if (this.resumption.takes(message)) return
    switch (message.type) {
      case 'connected':
        Object.assign(state, {
          sessionId: message.session_id, shared: { id: message.session_id, proof: message.proof }, models: message.available_models, model: message.model_name,
          networkType: message.network_type, controller: 'policy', world: message.world, error: null,
        })
        this.company.begun(message)
        this.resumption.greeted(message.resume)
        break
      case 'session_resumed':
        this.confirmedWorld = this.desired.world
        this.starts.resumed()
        this.replays.resumed()
        if (this.desired.joins) this.joinClass()
        this.company.begun(message)
        // After a reload nobody knows who made the steps so far: the life counts in no result.
        if (this.resumption.partial) this.outcomes.branch()
        break
      case 'episode_start':
        Object.assign(state, { episode: message.episode, model: message.model_name, over: null })
        this.company.begun(message)
        this.lives.begin(message.episode, message.model_name)
        if (this.starts.begun(message.start)) this.outcomes.forget()
        this.outcomes.begin()
        break
      case 'state_update': {
        const frame = frameOfInference(message)
        this.feed.push(frame)
        this.published?.(message)
        this.policy.change()
        this.replays.shown(message.step)
        if (this.replays.state.replay !== null) break
        this.lives.push(this.feed.frame ?? frame)
        this.resumption.shown(message)
        if (message.step > 0) this.outcomes.stepBy(state.controller)
        this.actions.shown(message.done)
        // A frame tells what the last step was chosen from; a hint is about the world that is there now.
        if (this.desired.human && this.desired.think && !this.actions.busy) this.setThink(true)
        break
      }
      case 'episode_end': this.ended(message); break
      case 'model_loaded':
        if (state.loading === message.model) state.loading = null
        this.outcomes.forget()
        Object.assign(state, { error: null, ...((message.agent ?? 'agent_0') === 'agent_0' && { model: message.model, networkType: message.network_type }) })
        this.continueAsDesired()
        break
      case 'world_set':
        this.outcomes.forget()
        this.starts.moved()
        this.confirmedWorld = this.desired.world
        Object.assign(state, { world: message.world, worldError: null })
        break
      case 'playback': this.transport(message); break
      case 'view': this.feed.amend(shownValues(message)); break
      case 'policy_map': this.policy.answered(message); break
      case 'replay_started':
        this.replays.started(message)
        this.socket.send({ command: 'get_life' })
        state.error = null
        break
      case 'replay_ended': this.replays.ended(); break
      case 'life': this.lives.told(message, this.replays.state.replay !== null); break
      case 'branched': this.branched(message); break
      case 'class_joined': state.player = message.player; break
      case 'recording_saved': this.replays.saved(message.recording); break
      case 'error':
        state.error = told(message.message, message.code, message)
        this.replays.refused(message.command)
        if (message.command === 'act') this.actions.clear()
        if (message.command === 'set_start') this.starts.refused()
        if (message.command === 'get_policy_map') this.policy.refused()
        if (message.command === 'take_control') this.desired.human = false
        if (message.command === 'set_world') {
          state.worldError = { message: state.error, field: message.field }
          this.desired.world = this.confirmedWorld
        }
        if (message.command === 'load_model') {
          state.loading = null
          this.desired.model = state.model
          this.continueAsDesired()
        }
        break
    }
  }

  /** Bring a new connection to what was chosen on the last one. */
  restore(): void {
    const { desired, state } = this
    // The episode that was to be recorded is gone.
    this.replays.state.recording = null
    if (desired.joins) this.joinClass()
    if (desired.think) this.setThink(true)
    if (desired.speed !== 1 || desired.lingers) this.setSpeed(desired.speed)
    if (desired.human) this.takeControl()
    this.confirmedWorld = null
    const loads = desired.model !== null && desired.model !== state.model
    if (loads) this.ask(desired.model ?? '')
    // After the model, which must be able to read the world.
    this.askWorld()
    this.company.restore()
    this.starts.restore()
    if (!loads) this.continueAsDesired()
  }

  /** Send a command, unless it would change a life that stands still. */
  private send(command: InferenceCommand): boolean { return !(MOVES.has(command.command) && this.holds?.()) && this.socket.send(command) }

  private askWorld(): void {
    const world = parseSpec(this.desired.world)
    const chosen = { ...(world !== null && { world }), ...this.company.fields }
    this.state.worldError = null
    if (Object.keys(chosen).length > 0) this.socket.send({ command: 'set_world', ...chosen })
  }

  private ask(model: string): void {
    this.desired.model = model
    this.state.error = null
    if (this.socket.send({ command: 'load_model', model })) this.state.loading = model
  }

  /** The desired model is loaded, or cannot be. */
  private continueAsDesired(): void {
    if (this.desired.recording !== null) this.replays.open(this.desired.recording)
    else if (this.desired.playing && !this.state.playing && !this.hidden) this.play()
  }

  private ended(message: EpisodeEnd): void {
    const end = this.company.endOf(message)
    // After the others another life follows at once, and takes what the person does by then.
    if (end.reason === 'meter_depleted' || end.reason === 'max_steps') this.state.over = end
    this.actions.clear()
    this.lives.end(end)
    if (end.reason === 'meter_depleted' && this.desired.lingers) this.socket.send({ command: 'get_life' })
    // An episode that ended before its first step has no result.
    if (end.steps > 0) {
      this.previousEnd = this.state.last
      this.state.last = end
    }
    this.feed.pace.rest()
    const by = this.outcomes.end(end)
    if (by !== null && message.agents === undefined) this.finished({ model: this.state.model, by, end, start: this.starts.kind.value, world: ownDigest(this.state.world) })
  }

  private branched(branch: Branched): void {
    Object.assign(this.state, { episode: branch.episode, model: branch.model_name, over: null })
    // The life that waited was given up for this one, which is not an ending to show.
    if (this.state.last?.reason === 'reset') this.state.last = this.previousEnd
    this.actions.clear()
    this.lives.branch(branch.step, branch.episode, branch.model_name)
    this.outcomes.branch()
  }

  private transport(playback: Playback): void {
    const { state } = this
    if (!playback.playing || playback.controller === 'human') this.feed.pace.rest()
    Object.assign(state, { playing: playback.playing, controller: playback.controller })
    this.company.person.value = playback.agent ?? null
    // A recording that has played to its end stops by itself.
    if (playback.controller === 'recording' && !playback.playing) this.desired.playing = false
    // While a slider is being dragged, an answer to an earlier value must not pull it back.
    if (performance.now() - this.speedSentAt > SPEED_SETTLES_MS) state.speed = playback.speed
  }
}
