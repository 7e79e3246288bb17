import { vi } from 'vitest'

/** A WebSocket whose other end is the test. */
export class SocketDouble extends EventTarget {
  static readonly CONNECTING = 0
  static readonly OPEN = 1
  static readonly CLOSED = 3
  static all: SocketDouble[] = []

  readyState = SocketDouble.CONNECTING
  readonly sent: unknown[] = []
  /** How often compact frames were asked for, which every connection does; not among `sent`. */
  compact = 0

  constructor(readonly url: string) {
    super()
    SocketDouble.all.push(this)
  }

  static get newest(): SocketDouble {
    const newest = SocketDouble.all.at(-1)
    if (newest === undefined) throw new Error('no connection was made')
    return newest
  }

  static install(): void {
    SocketDouble.all = []
    vi.stubGlobal('WebSocket', SocketDouble)
  }

  send(text: string): void {
    if (text === JSON.stringify({ command: 'set_view', frames: 'compact' })) this.compact += 1
    else this.sent.push(JSON.parse(text))
  }

  close(): void {
    this.readyState = SocketDouble.CLOSED
  }

  /** The handshake is done. */
  open(): void {
    this.readyState = SocketDouble.OPEN
    this.dispatchEvent(new Event('open'))
  }

  /** The server's part. */
  receive(message: object): void {
    this.readyState = SocketDouble.OPEN
    this.dispatchEvent(new MessageEvent('message', { data: JSON.stringify(message) }))
  }

  drop(code = 1006): void {
    this.readyState = SocketDouble.CLOSED
    this.dispatchEvent(new CloseEvent('close', { code }))
  }

  commands(): string[] {
    return this.sent.map((message) => (message as { command: string }).command)
  }
}
