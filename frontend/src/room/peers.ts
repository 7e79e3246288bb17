import type { Signal, StateUpdate } from '@/protocol/messages'
import type { Spot } from '@/room/client'
import { PeerLink } from '@/room/link'

const RETRY_MS = 30_000
/** Where one points is repeated this often, so that the others know that the connection stands. */
const REPEAT_MS = 250

export interface PeerEvents {
  /** Pass a signal on by way of the server. */
  signal(to: number, kind: Signal['kind'], data: string): void
  pointed(member: number, spot: Spot | null): void
  frame(member: number, update: StateUpdate): void
  /** A connection opened, fell silent, was heard again or ended. */
  changed(): void
}

/**
 * Connect this member to the others of its group, without the server.
 *
 * Of two members the one with the smaller number offers. When the network changes, either does; where both offer at
 * once, the one with the greater number gives its own up ("perfect negotiation"). Where no connection comes about, or
 * one breaks, everything goes over the server, and it is tried again later.
 */
export class PeerMesh {
  private readonly links = new Map<number, PeerLink>()
  private readonly resting = new Map<number, ReturnType<typeof setTimeout>>()
  private you = 0
  private wanted: readonly number[] = []
  private servers: RTCIceServer[] = []
  private spot: Spot | null = null
  private pointedAt = -Infinity
  private repeat: ReturnType<typeof setInterval> | null = null
  private alive = ''
  private readonly network = (): void => { this.tryNow() }

  constructor(private readonly events: PeerEvents) {
    window.addEventListener('online', this.network)
  }

  /** Whether there are others, and every one of them gets what is sent to it. */
  get isComplete(): boolean {
    return this.wanted.length > 0 && this.wanted.every((member) => this.isAlive(member))
  }

  /** Return whether a member gets what is sent to it, and was heard of lately. */
  isAlive(member: number): boolean {
    return this.links.get(member)?.isAlive(performance.now()) ?? false
  }

  /** Be connected to exactly these members. */
  meet(you: number, members: readonly number[], stunPort: number | null): void {
    this.you = you
    this.wanted = typeof RTCPeerConnection === 'undefined' ? [] : members
    this.servers = stunPort === null ? [] : [{ urls: `stun:${location.hostname}:${stunPort}` }]
    for (const member of [...this.links.keys(), ...this.resting.keys()]) if (!this.wanted.includes(member)) this.leave(member)
    for (const member of this.wanted) if (you < member && !this.links.has(member) && !this.resting.has(member)) this.begin(member).offer()
    this.note()
  }

  /** Tell the connected members where this one points. */
  point(spot: Spot | null): void {
    this.spot = spot
    this.pointedAt = performance.now()
    for (const link of this.links.values()) link.point(spot)
  }

  /** Send a member a frame of this one's life. */
  show(member: number, text: string): void {
    this.links.get(member)?.show(text)
  }

  /** Take a signal that another member sent. */
  hear(from: number, kind: Signal['kind'], data: string): void {
    if (!this.wanted.includes(from)) return
    const held = this.links.get(from)
    if (kind !== 'offer') {
      held?.take(kind, data)
      return
    }
    // Both offered: the other gives way.
    if (held?.isOffering && this.you < from) return
    this.leave(from)
    this.begin(from).take(kind, data)
  }

  close(): void {
    window.removeEventListener('online', this.network)
    this.wanted = []
    for (const member of [...this.links.keys(), ...this.resting.keys()]) this.leave(member)
    if (this.repeat !== null) clearInterval(this.repeat)
  }

  private begin(member: number): PeerLink {
    const link = new PeerLink(this.servers, {
      signal: (kind, data) => { if (this.links.get(member) === link) this.events.signal(member, kind, data) },
      pointed: (spot) => {
        this.note()
        this.events.pointed(member, spot)
      },
      frame: (update) => { this.events.frame(member, update) },
      opened: () => {
        link.point(this.spot)
        this.note()
      },
      ended: () => { this.ended(member) },
    })
    this.links.set(member, link)
    this.repeat ??= setInterval(() => { this.tick() }, REPEAT_MS)
    return link
  }

  private leave(member: number): void {
    this.links.get(member)?.close()
    this.links.delete(member)
    clearTimeout(this.resting.get(member))
    this.resting.delete(member)
  }

  /** A connection has ended by itself: what its member is sent goes over the server, and it is tried again later. */
  private ended(member: number): void {
    this.leave(member)
    this.resting.set(member, setTimeout(() => {
      this.resting.delete(member)
      if (this.you < member) this.begin(member).offer()
    }, RETRY_MS))
    this.note()
  }

  /** The network has changed: what did not work may work now. */
  private tryNow(): void {
    for (const member of this.resting.keys()) {
      this.leave(member)
      this.begin(member).offer()
    }
  }

  private tick(): void {
    const now = performance.now()
    if (now - this.pointedAt >= REPEAT_MS) for (const link of this.links.values()) link.point(this.spot)
    for (const link of this.links.values()) link.check(now)
    this.note()
    if (this.links.size === 0 && this.repeat !== null) {
      clearInterval(this.repeat)
      this.repeat = null
    }
  }

  /** Tell when another set of members is connected. */
  private note(): void {
    const alive = this.wanted.map((member) => (this.isAlive(member) ? '1' : '0')).join('')
    if (alive === this.alive) return
    this.alive = alive
    this.events.changed()
  }
}
