import { shallowReactive } from 'vue'

import { HttpProblem, getJson } from '@/common/http'

/**
 * connecting: the first or a repeated handshake is under way. open: the server has spoken.
 * waiting: the connection was lost or never made, `retryAt` tells when it is tried again.
 * refused: the server is there but let nobody in, for the reason it gives; tried again as well.
 * idle: the server ended a connection over which nothing went; not tried again until somebody is back.
 * closed: by us.
 */
export type LinkStatus = 'connecting' | 'open' | 'waiting' | 'refused' | 'idle' | 'closed'

/** Why the server let nobody in, in its words; the code is one of the protocol's. */
export interface Refusal {
  code: string | null
  message: string
}

export interface LinkState {
  status: LinkStatus
  /** Failed attempts since the connection last stood. */
  attempts: number
  /** When the next attempt is made, in ms of `Date.now`. */
  retryAt: number
  /** Whether this link has ever stood: distinguishes "lost" from "not yet there". */
  wasOpen: boolean
  /** Why the server ended the connection that stood, where it said so. */
  closeCode: number | null
  /** Why it is refused, where the server tells. */
  refusal: Refusal | null
}

export interface LinkEvents<Message> {
  message(message: Message): void
  /** The connection is gone, by itself or by `close`. */
  down?(): void
}

const FIRST_RETRY_MS = 500
const LAST_RETRY_MS = 10_000
const FULL_RETRY_MS = 5_000
/** The server's close code when it ends to start anew, and how many attempts that may take. */
const RESTARTING = 1012
const RESTART_ATTEMPTS = 5
/** Its close code where nothing went over the connection for long. */
const IDLE = 4408
/** What it answers to the question why, where nothing is in the way of a handshake. */
const UPGRADE_REQUIRED = 426
/** Codes of a server that is not quite there: it is waited for, not complained of. */
const COMING: readonly (string | null)[] = ['starting', 'draining']

/** Whether the server said it would be back, and has not had its time for that yet. */
export function restarting(state: LinkState): boolean {
  return state.closeCode === RESTARTING && state.attempts <= RESTART_ATTEMPTS
}

/** Wait before attempt n (from 1): doubling, capped, and spread so that a class does not return as one. */
export function backoff(attempt: number, random: () => number = Math.random): number {
  const longest = Math.min(LAST_RETRY_MS, FIRST_RETRY_MS * 2 ** (attempt - 1))
  return longest * (0.5 + 0.5 * random())
}

/** A WebSocket that comes back: it reconnects until it is closed from this side. */
export class Link<Message, Command> {
  readonly state: LinkState = shallowReactive({
    status: 'connecting',
    attempts: 0,
    retryAt: 0,
    wasOpen: false,
    closeCode: null,
    refusal: null,
  })

  private socket: WebSocket | null = null
  private timer: ReturnType<typeof setTimeout> | null = null
  private readonly retryNow = (): void => {
    if (['waiting', 'refused', 'idle'].includes(this.state.status)) this.connect()
  }

  constructor(
    private readonly url: string,
    private readonly events: LinkEvents<Message>,
  ) {
    window.addEventListener('online', this.retryNow)
    this.connect()
  }

  /** Send a command; false, and nothing is kept for later, while no connection stands. */
  send(command: Command): boolean {
    if (this.state.status !== 'open' || this.socket?.readyState !== WebSocket.OPEN) return false
    this.socket.send(JSON.stringify(command))
    return true
  }

  /** Try again at once rather than at `retryAt`. */
  retry(): void {
    this.retryNow()
  }

  close(): void {
    window.removeEventListener('online', this.retryNow)
    this.clearTimer()
    this.state.status = 'closed'
    this.socket?.close(1000)
    this.socket = null
  }

  private connect(): void {
    this.clearTimer()
    this.state.status = 'connecting'
    const socket = new WebSocket(this.url)
    this.socket = socket
    socket.addEventListener('message', (event: MessageEvent<string>) => { this.received(socket, event.data) })
    socket.addEventListener('close', (event) => {
      // A socket replaced or closed by this side has nothing more to say.
      if (this.socket === socket) this.lost(event.code)
    })
  }

  private received(socket: WebSocket, text: string): void {
    if (this.socket !== socket) return
    if (this.state.status !== 'open') {
      Object.assign(this.state, { status: 'open', attempts: 0, wasOpen: true, closeCode: null, refusal: null })
    }
    this.events.message(JSON.parse(text) as Message)
  }

  private lost(code: number): void {
    const stood = this.state.status === 'open'
    this.socket = null
    this.state.attempts += 1
    if (stood) this.state.closeCode = code
    if (stood && code === IDLE) {
      this.state.status = 'idle'
      this.events.down?.()
      return
    }
    this.wait(backoff(this.state.attempts), 'waiting')
    if (stood) this.events.down?.()
    // One that is restarting answers until it is gone, and is not full for that.
    else if (!restarting(this.state)) void this.askWhy()
  }

  /** A browser is not told why a handshake failed; asked without one, the same address tells. */
  private async askWhy(): Promise<void> {
    let refusal: Refusal | null = null
    try {
      await getJson(this.url.replace(/^ws/, 'http'))
    } catch (error) {
      if (!(error instanceof HttpProblem)) throw error
      // No answer here either, or one that it is about to come: it is simply away.
      if (error.status === 0 || COMING.includes(error.code)) return
      if (error.status !== UPGRADE_REQUIRED) refusal = { code: error.code, message: error.message }
    }
    if (this.state.status !== 'waiting') return
    this.state.refusal = refusal
    this.wait(FULL_RETRY_MS * (0.8 + 0.4 * Math.random()), 'refused')
  }

  private wait(milliseconds: number, status: 'waiting' | 'refused'): void {
    this.clearTimer()
    this.state.status = status
    this.state.retryAt = Date.now() + milliseconds
    this.timer = setTimeout(() => { this.connect() }, milliseconds)
  }

  private clearTimer(): void {
    if (this.timer !== null) clearTimeout(this.timer)
    this.timer = null
  }
}
