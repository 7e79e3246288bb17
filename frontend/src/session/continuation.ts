import type { AgentState, InferenceCommand, StateUpdate } from '@/protocol/messages'
import type { DesiredState } from '@/session/state'
import { ACTIONS } from '@/world/labels'

type ResumeSession = Extract<InferenceCommand, { command: 'resume_session' }>

/** One action a step; with several agents a list in their order. */
type Actions = (number | number[])[]

/** As many actions as the server takes. */
const KEPT_ACTIONS = 512

/** What was chosen for the session: with another choice, as by a link, a new session begins. */
type Choice = Pick<DesiredState, 'model' | 'world' | 'agents' | 'contention' | 'recording'>

interface Kept {
  resume: string
  episode: number
  step: number
  actions: Actions
  choice: Choice
}

/**
 * What a tab keeps to go on with its session on another connection: the server's secret, the step on screen and the
 * last actions. It survives a reload of the tab (sessionStorage, which ends with the tab), not a copy of its address.
 */
export class Continuation {
  private resume: string | null = null
  private episode = 0
  private step = 0
  private actions: Actions = []
  private readonly save = (): void => { this.store() }

  /** `place` tells the page's sessions apart; null keeps nothing past a reload. */
  constructor(private readonly place: string | null, private readonly desired: Choice) {
    this.read()
    window.addEventListener('pagehide', this.save)
  }

  /** The command to go on with the last connection's session, if there was one. */
  get command(): ResumeSession | null {
    if (this.resume === null) return null
    const { resume, episode, step, actions } = this
    return { command: 'resume_session', resume, episode, step, actions }
  }

  /** Whether a life is on screen that has made a step. */
  get underWay(): boolean { return this.step > 0 }

  /** A new session began; its secret is null where the server keeps none. */
  began(resume: string | null): void {
    this.resume = resume
    this.at(0, 0)
    this.store()
  }

  /** The session on screen is at this step, whatever happened before it. */
  at(episode: number, step: number): void {
    Object.assign(this, { episode, step, actions: [] })
  }

  /** A step of the session's own episode is on screen. */
  shown({ episode, step, action, agents }: StateUpdate): void {
    if (episode === this.episode && step === this.step) return
    if (episode === this.episode && step === this.step + 1) {
      this.step = step
      this.actions.push(Object.keys(agents).length > 1 ? Object.values(agents).map(indexOfLast) : action)
      if (this.actions.length > KEPT_ACTIONS) this.actions.shift()
    } else this.at(episode, step)
  }

  /** The next connection begins a new session. */
  forget(): void {
    this.resume = null
    this.at(0, 0)
    this.store()
  }

  close(): void {
    window.removeEventListener('pagehide', this.save)
    this.forget()
  }

  private get key(): string | null {
    return this.place === null ? null : `hamlet.session.${this.place}`
  }

  private get choice(): Choice {
    const { model, world, agents, contention, recording } = this.desired
    return { model, world, agents, contention, recording }
  }

  private store(): void {
    if (this.key === null) return
    const { resume, episode, step, actions, choice } = this
    try {
      if (resume === null) sessionStorage.removeItem(this.key)
      else sessionStorage.setItem(this.key, JSON.stringify({ resume, episode, step, actions, choice } satisfies Kept))
    } catch {
      // A full or forbidden storage costs no more than the session after a reload.
    }
  }

  private read(): void {
    if (this.key === null) return
    try {
      const kept = JSON.parse(sessionStorage.getItem(this.key) ?? 'null') as Kept | null
      if (kept === null || JSON.stringify(kept.choice) !== JSON.stringify(this.choice)) return
      const { resume, episode, step, actions } = kept
      Object.assign(this, { resume, episode, step, actions })
    } catch {
      // What lies there is not ours.
    }
  }
}

/** Return the index of an agent's last action; one that has ended makes none, which is as good as the first. */
function indexOfLast({ last_action }: AgentState): number {
  return Math.max(0, ACTIONS.findIndex(({ name }) => name === last_action))
}
