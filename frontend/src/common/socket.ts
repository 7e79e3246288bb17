import { shallowReactive } from 'vue'

import { HttpProblem, request } from '@/common/http'

/**
 * connecting: the first or a repeated handshake is under way. open: the server has sent a message.
 * waiting: the connection was lost or never made; it is tried again at `retryAt`.
 * refused: the server answers but refuses connections, for the reason it gives; tried again as well.
 * idle: the server ended a connection that nobody used; not tried again until somebody asks for it.
 * closed: by this side.
 */
export type ConnectionStatus = 'connecting' | 'open' | 'waiting' | 'refused' | 'idle' | 'closed'

/** Why the server refused a connection, in its words; the code is one of the protocol's. */
export interface Refusal {
  code: string | null
  message: string
}

export interface ConnectionState {
  status: ConnectionStatus
  /** Failed attempts since the connection was last open. */
  attempts: number
  /** When the next attempt is made, in ms of `Date.now`. */
  retryAt: number
  /** Whether it was ever open: tells "lost" from "not yet there". */
  wasOpen: boolean
  /** Why the server ended the last open connection, where it said so. */
  closeCode: number | null
  /** Why it is refused; null where the server answers but handshakes do not reach it. */
  refusal: Refusal | null
}

export interface ConnectionEvents<Message, Command = never> {
  /** The handshake is done; returns what is to be sent first, where this side speaks first. */
  opened?(): Command
  message(message: Message): void
  /** The connection is gone, by itself or by `close`. */
  down?(): void
}

const FIRST_RETRY_MS = 500
const LAST_RETRY_MS = 10_000
const FULL_RETRY_MS = 5_000
/** The server's close code when it restarts, and how many attempts that may take. */
const RESTARTING = 1012
const RESTART_ATTEMPTS = 5
/** Its close code for a connection that was idle for too long. */
const IDLE = 4408
/** Its answer to a plain request where the server itself would accept a handshake. */
const UPGRADE_REQUIRED = 426
/** Codes of a server that starts or restarts: it is waited for. */
const STARTING: readonly (string | null)[] = ['starting', 'draining']

/** Return whether the server announced a restart and may still need time for it. */
export function isRestarting(state: ConnectionState): boolean {
  return state.closeCode === RESTARTING && state.attempts <= RESTART_ATTEMPTS
}

/** Return the wait before attempt n (from 1), in ms: doubling, capped, and spread so that a class does not return at once. */
export function backoff(attempt: number, random: () => number = Math.random): number {
  const longest = Math.min(LAST_RETRY_MS, FIRST_RETRY_MS * 2 ** (attempt - 1))
  return longest * (0.5 + 0.5 * random())
}

/** Hold a WebSocket connection, and reconnect it until it is closed from this side. */
export class ReconnectingSocket<Message, Command> {
  readonly state: ConnectionState = shallowReactive({
    status: 'connecting',
    attempts: 0,
    retryAt: 0,
    wasOpen: false,
    closeCode: null,
    refusal: null,
  })

  private socket: WebSocket | null = null
  private timer: ReturnType<typeof setTimeout> | null = null
  /** Try again at once rather than at `retryAt`. */
  readonly retry = (): void => {
    if (['waiting', 'refused', 'idle'].includes(this.state.status)) this.connect()
  }

  constructor(
    private readonly url: string,
    private readonly events: ConnectionEvents<Message, Command>,
  ) {
    window.addEventListener('online', this.retry)
    this.connect()
  }

  /** Send a command; without an open connection return false and keep nothing for later. */
  send(command: Command): boolean {
    if (this.state.status !== 'open' || this.socket?.readyState !== WebSocket.OPEN) return false
    this.socket.send(JSON.stringify(command))
    return true
  }

  /** Exchange the connection for a new one. */
  reopen(): void {
    this.socket?.close(1000)
    this.events.down?.()
    this.connect()
  }

  close(): void {
    window.removeEventListener('online', this.retry)
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
    socket.addEventListener('open', () => {
      const first = this.socket === socket ? this.events.opened?.() : undefined
      if (first !== undefined) socket.send(JSON.stringify(first))
    })
    socket.addEventListener('message', (event: MessageEvent<string>) => { this.received(socket, event.data) })
    socket.addEventListener('close', (event) => {
      // A socket that was replaced or closed by this side no longer counts.
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
    const wasOpen = this.state.status === 'open'
    this.socket = null
    this.state.attempts += 1
    if (wasOpen) this.state.closeCode = code
    if (wasOpen && code === IDLE) {
      this.state.status = 'idle'
      this.events.down?.()
      return
    }
    this.wait(backoff(this.state.attempts), 'waiting')
    if (wasOpen) this.events.down?.()
    // A restarting server still answers until it is gone, which does not make it full.
    else if (!isRestarting(this.state)) void this.askWhy()
  }

  /**
   * Ask why a handshake failed: the browser does not tell, but a plain request to the same address does. Where the
   * server would accept one, something in between prevents it, and there is no refusal.
   */
  private async askWhy(): Promise<void> {
    let refusal: Refusal | null = null
    let longest = FULL_RETRY_MS
    try {
      await request(this.url.replace(/^ws/, 'http'), { query: { origin: location.origin } })
    } catch (error) {
      if (!(error instanceof HttpProblem)) throw error
      // No answer here either, or one that says it is starting: the server is away.
      if (error.status === 0 || STARTING.includes(error.code)) return
      longest = Math.max(longest, 1000 * (error.retryAfter ?? 0))
      if (error.status !== UPGRADE_REQUIRED) refusal = { code: error.code, message: error.message }
    }
    if (this.state.status !== 'waiting') return
    this.state.refusal = refusal
    this.wait(longest * (0.8 + 0.4 * Math.random()), 'refused')
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
