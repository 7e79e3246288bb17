// @vitest-environment happy-dom
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'

import type { Joined, Member, RoomMessage, Signal, StateUpdate } from '@/protocol/messages'
import { RoomClient, type Spot } from '@/room/client'
import { MAX_FRAME, readFrame, readSpot } from '@/room/incoming'
import { PeerMesh } from '@/room/peers'
import { update } from './frames'
import { RtcDouble } from './rtc-double'
import { SocketDouble } from './socket-double'

/** A member's mesh, and what it was told; signals go to the others as by the server. */
class Player {
  static all = new Map<number, Player>()
  readonly spots: [number, Spot | null][] = []
  readonly frames: [number, StateUpdate][] = []
  readonly signals: [number, Signal['kind'], string][] = []
  changes = 0
  readonly mesh = new PeerMesh({
    signal: (to, kind, data) => {
      this.signals.push([to, kind, data])
      void Promise.resolve().then(() => { Player.all.get(to)?.mesh.hear(this.number, kind, data) })
    },
    pointed: (member, spot) => { this.spots.push([member, spot]) },
    frame: (member, frame) => { this.frames.push([member, frame]) },
    changed: () => { this.changes += 1 },
  })

  constructor(readonly number: number) {
    Player.all.set(number, this)
  }

  meet(...others: number[]): void {
    this.mesh.meet(this.number, others, null)
  }

  offers(): number {
    return this.signals.filter(([, kind]) => kind === 'offer').length
  }
}

/** Let promises and no timers run. */
async function settle(milliseconds = 0): Promise<void> {
  await vi.advanceTimersByTimeAsync(milliseconds)
}

beforeEach(() => {
  vi.useFakeTimers()
  RtcDouble.install()
  Player.all.clear()
})

afterEach(() => {
  for (const { mesh } of Player.all.values()) mesh.close()
  vi.useRealTimers()
})

async function pair(): Promise<[Player, Player]> {
  const players: [Player, Player] = [new Player(1), new Player(2)]
  players[1].meet(1)
  players[0].meet(2)
  await settle()
  return players
}

describe('members of a group', () => {
  it('connect: the smaller number offers, and both see where the other points', async () => {
    const [ann, ben] = await pair()
    expect([ann.offers(), ben.offers()]).toEqual([1, 0])
    expect([ann.mesh.isComplete, ben.mesh.isComplete]).toEqual([true, true])
    ann.mesh.point([1, 2])
    ben.mesh.point(null)
    expect(ben.spots.at(-1)).toEqual([1, [1, 2]])
    expect(ann.spots.at(-1)).toEqual([2, null])
  })

  it('give an attempt up after four seconds, and try again after thirty', async () => {
    RtcDouble.reachable = false
    const [ann, ben] = await pair()
    await settle(3900)
    expect(RtcDouble.all.every(({ connectionState }) => connectionState !== 'closed')).toBe(true)
    await settle(200)
    expect(RtcDouble.all.every(({ connectionState }) => connectionState === 'closed')).toBe(true)
    expect(ann.mesh.isComplete || ben.mesh.isComplete).toBe(false)
    RtcDouble.reachable = true
    await settle(29_500)
    expect(ann.offers()).toBe(1)
    await settle(1000)
    expect([ann.mesh.isComplete, ben.mesh.isComplete]).toEqual([true, true])
  })

  it('notice a closed channel in that moment', async () => {
    const [ann, ben] = await pair()
    const changes = ann.changes
    RtcDouble.all[0]?.channels[0]?.turn('closed')
    expect([ann.mesh.isComplete, ben.mesh.isComplete]).toEqual([false, false])
    expect(ann.changes).toBe(changes + 1)
  })

  it('notice within a second that nothing comes any more, and come back when it does', async () => {
    const [ann, ben] = await pair()
    await settle(10_000)
    expect(ann.mesh.isComplete).toBe(true)
    RtcDouble.cut = true
    await settle(1000)
    expect([ann.mesh.isComplete, ben.mesh.isComplete]).toEqual([false, false])
    RtcDouble.cut = false
    await settle(500)
    expect([ann.mesh.isComplete, ben.mesh.isComplete]).toEqual([true, true])
    RtcDouble.cut = true
    await settle(6000)
    expect(RtcDouble.all.every(({ connectionState }) => connectionState === 'closed')).toBe(true)
  })

  it('end with one connection where both offer at once', async () => {
    RtcDouble.reachable = false
    const [ann, ben] = await pair()
    await settle(5000)
    RtcDouble.reachable = true
    window.dispatchEvent(new Event('online'))
    await settle()
    expect([ann.offers(), ben.offers()]).toEqual([2, 1])
    expect([ann.mesh.isComplete, ben.mesh.isComplete]).toEqual([true, true])
    expect(RtcDouble.all.filter(({ connectionState }) => connectionState !== 'closed')).toHaveLength(2)
  })

  it('hear nobody from outside the group, and end with a member that leaves it', async () => {
    const [ann, ben] = await pair()
    const made = RtcDouble.all.length
    ann.mesh.hear(3, 'offer', 'offer 0')
    await settle()
    expect(RtcDouble.all).toHaveLength(made)
    ann.meet()
    await settle()
    expect([ann.mesh.isComplete, ben.mesh.isComplete]).toEqual([false, false])
  })

  it.each([['a flood', '[1,1]', 101], ['nonsense', '{"x":1}', 1], ['too long a text', `[${' '.repeat(80)}1,1]`, 1]])(
    'cut off a peer that sends %s', async (_, text, times) => {
      const [ann, ben] = await pair()
      for (let sent = 0; sent < times; sent += 1) RtcDouble.all[0]?.channels[0]?.send(text)
      expect(ben.mesh.isAlive(1)).toBe(false)
      expect(ben.spots.length).toBeLessThanOrEqual(100)
      await settle()
      expect(ann.mesh.isComplete).toBe(false)
    },
  )

  it('end an attempt at a description that means nothing', async () => {
    const ben = new Player(2)
    ben.meet(1)
    ben.mesh.hear(1, 'candidate', 'late')
    ben.mesh.hear(1, 'offer', 'offer 999')
    await settle()
    expect(RtcDouble.all.map(({ connectionState }) => connectionState)).toEqual(['closed'])
  })

  it('ask the STUN answerer of the page\u2019s own server, where there is one', () => {
    new Player(1).mesh.meet(1, [2], 3478)
    expect(RtcDouble.all[0]?.configuration.iceServers).toEqual([{ urls: 'stun:localhost:3478' }])
  })
})

describe('what a peer sends', () => {
  it('is a place within the bounds, or nowhere', () => {
    expect(readSpot('[1.5,-1]')).toEqual([1.5, -1])
    expect(readSpot('null')).toBeNull()
    for (const wrong of ['[1]', '[1,65]', '["1",2]', '{}', '', 'x', 7, new ArrayBuffer(8)]) expect(readSpot(wrong)).toBeUndefined()
  })

  it('is a frame as the server makes it, or nothing', () => {
    const right = update({ step: 3 })
    expect(readFrame(JSON.stringify(right))).toEqual(right)
    const wrong: object[] = [
      { type: 'view' }, { step: -1 }, { action: 5 }, { reward: 'x' }, { grid: { ...right.grid, width: 65 } },
      { grid: { ...right.grid, agents: Array.from({ length: 9 }, () => right.grid.agents[0]) } },
      { heat_map: { x: null } }, { info: { step: 1, failure_reason: 'x'.repeat(65) } }, { agents: { agent_0: {} } }, { q_values: [[1]] },
    ]
    for (const change of wrong) expect(readFrame(JSON.stringify({ ...right, ...change }))).toBeUndefined()
    expect(readFrame(JSON.stringify(right).padEnd(MAX_FRAME + 1))).toBeUndefined()
  })
})

describe('a room', () => {
  const FOX: Member = { member: 1, animal: 'fox', colour: 'blue', teacher: true, has_session: true, follows: null }
  const OWL: Member = { member: 2, animal: 'owl', colour: 'red', teacher: false, has_session: true, follows: null }
  const JOINED: Joined = {
    type: 'joined', you: 1, room: '4827-1', members: [FOX, OWL], strokes: [], drawing: true, vote: null, choice: null, spotlight: null,
    stun_port: null, peers: true, seq: 1,
  }
  let client: RoomClient
  let ben: Player

  function hear(...messages: RoomMessage[]): void {
    for (const message of messages) SocketDouble.newest.receive(message)
  }

  function sent(command: string): unknown[] {
    return SocketDouble.newest.sent.filter((one) => (one as { command: string }).command === command)
  }

  /** Pass on what the client has signalled. */
  async function carry(): Promise<void> {
    for (const one of sent('signal') as Signal[]) ben.mesh.hear(1, one.kind, one.data)
    await settle()
    for (const [, kind, data] of ben.signals) hear({ type: 'signal', sender: 2, kind, data })
    await settle()
  }

  beforeEach(async () => {
    SocketDouble.install()
    client = new RoomClient('4827-1', () => undefined, 'ws://test/ws/room')
    SocketDouble.newest.open()
    ben = new Player(2)
    ben.meet(1)
    hear(JOINED)
    await settle()
    await carry()
  })

  afterEach(() => { client.close() })

  it('points directly while everybody is connected, and over the server in the moment one is not', () => {
    expect(client.state.direct).toBe(true)
    client.point([1, 1])
    expect([ben.spots.at(-1), sent('cursor')]).toEqual([[1, [1, 1]], []])
    ben.mesh.point([2, 2])
    hear({ type: 'cursors', cursors: { 2: [9, 9] } })
    expect(client.cursors.get(2)).toEqual([2, 2])
    ben.mesh.close()
    expect([client.state.direct, sent('cursor')]).toEqual([false, [{ command: 'cursor', at: [1, 1] }]])
    // What the server told a moment before the connection broke, and what it tells now.
    expect(client.cursors.get(2)).toEqual([9, 9])
    hear({ type: 'cursors', cursors: { 2: [8, 8] } })
    expect(client.cursors.get(2)).toEqual([8, 8])
  })

  it('points over the server too while a newcomer is not connected', () => {
    hear({ type: 'member_joined', member: { ...OWL, member: 3 }, seq: 2 })
    client.point([4, 4])
    vi.advanceTimersByTime(100)
    expect(client.state.direct).toBe(false)
    expect(ben.spots.at(-1)).toEqual([1, [4, 4]])
    expect(sent('cursor').at(-1)).toEqual({ command: 'cursor', at: [4, 4] })
  })

  it('takes frames from whom one follows, and over the server again when the connection ends', () => {
    hear({ type: 'following', member: 1, follows: 2, seq: 2 }, { type: 'frame', member: 2, message: update({ step: 1 }) })
    expect(client.feed.frame?.step).toBe(1)
    ben.mesh.show(1, JSON.stringify(update({ step: 2 })))
    expect(sent('set_direct')).toEqual([{ command: 'set_direct', member: 2, direct: true }])
    hear({ type: 'frame', member: 2, message: update({ step: 1 }) })
    expect(client.feed.frame?.step).toBe(2)
    ben.mesh.close()
    expect(sent('set_direct').at(-1)).toEqual({ command: 'set_direct', member: 2, direct: false })
    hear({ type: 'frame', member: 2, message: update({ step: 3 }) })
    expect(client.feed.frame?.step).toBe(3)
  })

  it('shows its own life to a follower from the newest frame on, and to nobody else', () => {
    client.publish(update({ step: 5 }))
    expect(ben.frames).toEqual([])
    hear({ type: 'following', member: 2, follows: 1, seq: 2 })
    client.publish(update({ step: 6 }))
    expect(ben.frames.map(([member, { step }]) => [member, step])).toEqual([[1, 5], [1, 6]])
  })

  it('connects to nobody where this person does not want it, or the server does not', () => {
    client.connect(false)
    expect(client.state.direct).toBe(false)
    const made = RtcDouble.all.length
    hear({ ...JOINED, peers: false })
    client.connect(true)
    expect(RtcDouble.all).toHaveLength(made)
  })
})
