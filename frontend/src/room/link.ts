import type { Signal, StateUpdate } from '@/protocol/messages'
import type { Spot } from '@/room/client'
import { MAX_FRAME, readFrame, readSpot } from '@/room/incoming'

/** An attempt that takes longer has failed; the browser itself says nothing for minutes. */
export const ATTEMPT_MS = 4000
/** After this long without a word, what is sent also goes over the server. A peer repeats where it points more often. */
export const SILENT_MS = 750
/** After this long without a word a connection is given up. */
const LOST_MS = 5000
/** A peer that sends more than this in a second is cut off; a life has up to a hundred frames a second. */
const MAX_SPOTS = 100
const MAX_FRAMES = 250
/** Frames are left out while more than this waits to be sent. */
const MAX_WAITING = 262_144

export interface LinkEvents {
  /** Pass a signal on by way of the server. */
  signal(kind: Signal['kind'], data: string): void
  pointed(spot: Spot | null): void
  frame(update: StateUpdate): void
  opened(): void
  /** The attempt has failed, or the connection is lost; called once, and not after `close`. */
  ended(): void
}

/** Count what comes in each second. */
class RateMeter {
  private second = 0
  private number = 0

  constructor(private readonly most: number) {}

  /** Count one more; return whether it is not too many. */
  count(now: number): boolean {
    const second = Math.floor(now / 1000)
    if (second !== this.second) Object.assign(this, { second, number: 0 })
    this.number += 1
    return this.number <= this.most
  }
}

/**
 * Hold one WebRTC connection to one other member, from the first signal to its end. It has two channels: where one
 * points, unordered and never repeated, because only the newest place counts; and frames, in order.
 */
export class PeerLink {
  private readonly connection: RTCPeerConnection
  private readonly spots: RTCDataChannel
  private readonly frames: RTCDataChannel
  private readonly timer: ReturnType<typeof setTimeout>
  /** Signals are taken one after another. */
  private work: Promise<void> = Promise.resolve()
  private heardAt = -Infinity
  private readonly spotRate = new RateMeter(MAX_SPOTS)
  private readonly frameRate = new RateMeter(MAX_FRAMES)
  private isOver = false

  constructor(servers: RTCIceServer[], private readonly events: LinkEvents) {
    this.connection = new RTCPeerConnection({ iceServers: servers })
    this.spots = this.connection.createDataChannel('spots', { negotiated: true, id: 0, ordered: false, maxRetransmits: 0 })
    this.frames = this.connection.createDataChannel('frames', { negotiated: true, id: 1 })
    this.timer = setTimeout(() => { if (!this.isOpen) this.end() }, ATTEMPT_MS)
    this.connection.addEventListener('icecandidate', ({ candidate }) => {
      if (candidate !== null && candidate.candidate !== '') this.events.signal('candidate', candidate.candidate)
    })
    this.connection.addEventListener('connectionstatechange', () => {
      if (['disconnected', 'failed', 'closed'].includes(this.connection.connectionState)) this.end()
    })
    for (const channel of [this.spots, this.frames]) {
      channel.addEventListener('open', () => { if (this.isOpen) this.open() })
      channel.addEventListener('close', () => { this.end() })
    }
    this.spots.addEventListener('message', ({ data }: MessageEvent<unknown>) => {
      const spot = this.hears(this.spotRate) ? readSpot(data) : undefined
      if (spot !== undefined) this.events.pointed(spot)
      else this.end()
    })
    this.frames.addEventListener('message', ({ data }: MessageEvent<unknown>) => {
      const update = this.hears(this.frameRate) ? readFrame(data) : undefined
      if (update !== undefined) this.events.frame(update)
      else this.end()
    })
  }

  get isOpen(): boolean {
    return !this.isOver && this.spots.readyState === 'open' && this.frames.readyState === 'open'
  }

  /** Whether an own offer waits for its answer. */
  get isOffering(): boolean {
    return this.connection.signalingState === 'have-local-offer'
  }

  /** Return whether the other was heard of lately, so that what is sent to it will arrive. */
  isAlive(now: number): boolean {
    return this.isOpen && now - this.heardAt <= SILENT_MS
  }

  offer(): void {
    this.do(async () => {
      await this.connection.setLocalDescription()
      this.events.signal('offer', this.connection.localDescription?.sdp ?? '')
    })
  }

  /** Take a signal of the other; an offer is answered. A description that means nothing ends the attempt. */
  take(kind: Signal['kind'], data: string): void {
    this.do(async () => {
      if (kind === 'candidate') {
        // One that comes late belongs to an attempt that was given up, and the browser refuses it.
        await this.connection.addIceCandidate({ candidate: data, sdpMLineIndex: 0 }).catch(() => undefined)
        return
      }
      await this.connection.setRemoteDescription({ type: kind, sdp: data })
      if (kind === 'answer') return
      await this.connection.setLocalDescription()
      this.events.signal('answer', this.connection.localDescription?.sdp ?? '')
    })
  }

  point(spot: Spot | null): void {
    if (this.isOpen) this.spots.send(JSON.stringify(spot))
  }

  /** Send a frame, unless earlier ones still wait; one that no channel carries ends the connection. */
  show(text: string): void {
    if (!this.isOpen || this.frames.bufferedAmount > MAX_WAITING) return
    if (text.length > MAX_FRAME) this.end()
    else this.frames.send(text)
  }

  /** Give up a connection over which nothing comes. */
  check(now: number): void {
    if (this.isOpen && now - this.heardAt > LOST_MS) this.end()
  }

  close(): void {
    if (this.isOver) return
    this.isOver = true
    clearTimeout(this.timer)
    this.connection.close()
  }

  private open(): void {
    this.heardAt = performance.now()
    this.events.opened()
  }

  private end(): void {
    if (this.isOver) return
    this.close()
    this.events.ended()
  }

  private do(step: () => Promise<void>): void {
    this.work = this.work.then(async () => {
      if (!this.isOver) await step()
    }).catch(() => { this.end() })
  }

  /** Note that something came; return whether it is not too much. */
  private hears(rate: RateMeter): boolean {
    this.heardAt = performance.now()
    return rate.count(this.heardAt)
  }
}
