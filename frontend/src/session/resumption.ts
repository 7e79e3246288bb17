import type { InferenceCommand, InferenceMessage, Playback, SessionResumed } from '@/protocol/messages'
import { Continuation } from '@/session/continuation'
import type { DesiredState, SessionState } from '@/session/state'

/** What going on with a session needs of it. */
export interface ResumableSession {
  readonly desired: DesiredState
  readonly state: SessionState
  setThink(think: boolean): void
  receive(message: InferenceMessage): void
  /** Bring a fresh session to what is desired. */
  restore(): void
  setSpeed(speed: number): void
  takeControl(): void
  releaseControl(): void
  play(): void
  pause(): void
}

function goesOn(message: SessionResumed): Partial<SessionState> {
  return {
    sessionId: message.session_id, model: message.model_name, networkType: message.network_type,
    episode: message.episode, over: null, world: message.world, loading: null,
  }
}

/** The server's close code when another connection went on with the session, as a duplicated tab does. */
const TAKEN = 4409

/** How often a session is asked for while the store of sessions does not answer, for 2 s each time. */
const ATTEMPTS = 3

/**
 * Go on with a session on a new connection. Until the server has answered, the fresh session that every connection
 * begins with waits unseen; it is shown if the other one is gone.
 */
export class Resumption {
  /** Whether nobody here saw the session's beginning: after a reload. */
  partial = false

  private readonly continuation: Continuation
  private asked = false
  private attempts = 0
  private adopting = false
  /** Whether this page had a session before this connection, so that its wishes count more than the server's. */
  private experienced = false
  private fresh: string | null = null
  private unseen: InferenceMessage[] = []

  constructor(
    place: string | null,
    private readonly session: ResumableSession,
    private readonly send: (command: InferenceCommand) => boolean,
    private readonly reconnect: () => void,
  ) {
    this.continuation = new Continuation(place, session.desired)
  }

  /** Take what concerns it; return whether that is all that is to be done with a message. */
  takes(message: InferenceMessage): boolean {
    switch (message.type) {
      case 'episode_start':
      case 'state_update':
        if (!this.asked && message.type === 'episode_start') this.continuation.at(message.episode, 0)
        if (!this.asked) return false
        this.unseen.push(message)
        return true
      case 'error':
        if (message.command !== 'resume_session') return false
        if (message.code === 'store_unavailable' && ++this.attempts < ATTEMPTS) this.reconnect()
        else this.begin(this.fresh)
        return true
      case 'session_resumed':
        this.resumed(message)
        return false
      case 'episode_end':
        this.session.state.lost = false
        return false
      case 'branched':
        this.continuation.at(message.episode, message.step)
        return false
      case 'playback':
        if (this.adopting) this.adopt(message)
        return false
      default:
        return false
    }
  }

  /** A connection is open: go on with the last one's session, or begin. */
  greeted(resume: string | null = null): void {
    const command = this.continuation.command
    this.unseen = []
    this.asked = command !== null && this.send(command)
    this.fresh = resume
    if (!this.asked) this.begin(resume)
  }

  /** A frame of the session's own episode is on screen. */
  shown(frame: Parameters<Continuation['shown']>[0]): void {
    this.continuation.shown(frame)
  }

  down(closeCode: number | null): void {
    if (closeCode === TAKEN) this.continuation.forget()
    this.asked = false
  }

  /** The next connection begins a new session. */
  forget(): void {
    this.continuation.forget()
  }

  close(): void {
    this.continuation.close()
  }

  private begin(resume: string | null): void {
    this.asked = false
    this.attempts = 0
    this.experienced = true
    this.partial = false
    this.session.state.lost = this.continuation.underWay
    this.continuation.began(resume)
    for (const message of this.unseen.splice(0)) this.session.receive(message)
    // A session that goes on keeps the form of its frames.
    this.send({ command: 'set_view', frames: 'compact' })
    this.session.restore()
  }

  private resumed(message: SessionResumed): void {
    this.asked = false
    this.attempts = 0
    this.unseen = []
    this.partial = !this.experienced
    this.adopting = true
    this.continuation.at(message.episode, message.step)
    Object.assign(this.session.state, goesOn(message))
    this.session.setThink(this.session.desired.think)
  }

  /**
   * The first `playback` of a session that went on. A page that has just been loaded takes it as it is; one that lost
   * its connection brings it to what was asked for meanwhile.
   */
  private adopt(playback: Playback): void {
    this.adopting = false
    const { session } = this
    const { desired } = session
    const human = playback.controller === 'recording' ? desired.human : playback.controller === 'human'
    if (!this.experienced) {
      this.experienced = true
      Object.assign(desired, { human, playing: playback.playing, speed: playback.speed })
      return
    }
    if (desired.speed !== playback.speed) session.setSpeed(desired.speed)
    if (desired.human && !human) session.takeControl()
    if (!desired.human && human) session.releaseControl()
    if (desired.playing && !playback.playing) session.play()
    if (!desired.playing && playback.playing) session.pause()
  }
}
