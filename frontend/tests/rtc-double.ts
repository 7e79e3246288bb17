import { vi } from 'vitest'

/** One end of a data channel; the other end is that of the same id. */
export class ChannelDouble extends EventTarget {
  readyState: RTCDataChannelState = 'connecting'
  bufferedAmount = 0
  readonly sent: string[] = []
  other: ChannelDouble | null = null

  constructor(readonly id: number) {
    super()
  }

  send(text: string): void {
    this.sent.push(text)
    if (!RtcDouble.cut) this.other?.dispatchEvent(new MessageEvent('message', { data: text }))
  }

  turn(state: 'open' | 'closed'): void {
    if (this.readyState === state) return
    this.readyState = state
    this.dispatchEvent(new Event(state === 'open' ? 'open' : 'close'))
  }
}

/** An RTCPeerConnection within this process: descriptions name connections, and an answer opens the channels. */
export class RtcDouble extends EventTarget {
  static all: RtcDouble[] = []
  /** Whether the network lets two reach each other. */
  static reachable = true
  /** Whether what is sent is lost, as after a cable was pulled. */
  static cut = false

  signalingState: RTCSignalingState = 'stable'
  connectionState: RTCPeerConnectionState = 'new'
  localDescription: { type: string; sdp: string } | null = null
  readonly channels: ChannelDouble[] = []
  readonly candidates: unknown[] = []
  private remote: RtcDouble | null = null
  private readonly number: number

  constructor(readonly configuration: RTCConfiguration) {
    super()
    this.number = RtcDouble.all.push(this) - 1
  }

  static install(): void {
    Object.assign(RtcDouble, { all: [], reachable: true, cut: false })
    vi.stubGlobal('RTCPeerConnection', RtcDouble)
  }

  createDataChannel(_label: string, { id = 0 }: RTCDataChannelInit): ChannelDouble {
    const channel = new ChannelDouble(id)
    this.channels.push(channel)
    return channel
  }

  async setLocalDescription(): Promise<void> {
    const type = this.signalingState === 'have-remote-offer' ? 'answer' : 'offer'
    this.signalingState = type === 'offer' ? 'have-local-offer' : 'stable'
    this.localDescription = { type, sdp: `${type} ${this.number}` }
    this.dispatchEvent(Object.assign(new Event('icecandidate'), { candidate: { candidate: `candidate ${this.number}` } }))
    await Promise.resolve()
  }

  async setRemoteDescription({ type, sdp }: { type: string; sdp: string }): Promise<void> {
    const expected = type === 'answer' ? 'have-local-offer' : 'stable'
    const remote = RtcDouble.all[Number(sdp.split(' ')[1] ?? NaN)]
    if (remote === undefined || !sdp.startsWith(type) || this.signalingState !== expected) throw new Error('not a description')
    this.remote = remote
    this.signalingState = type === 'offer' ? 'have-remote-offer' : 'stable'
    if (type === 'answer' && RtcDouble.reachable) this.join(remote)
    await Promise.resolve()
  }

  async addIceCandidate(candidate: unknown): Promise<void> {
    if (this.remote === null) throw new Error('no remote description')
    this.candidates.push(candidate)
    await Promise.resolve()
  }

  close(): void {
    this.connectionState = 'closed'
    for (const channel of this.channels) {
      channel.readyState = 'closed'
      if (!RtcDouble.cut) channel.other?.turn('closed')
    }
  }

  private join(remote: RtcDouble): void {
    for (const channel of this.channels) {
      channel.other = remote.channels.find(({ id }) => id === channel.id) ?? null
      if (channel.other) channel.other.other = channel
    }
    for (const channel of [...this.channels, ...remote.channels]) channel.turn('open')
  }
}
