// @vitest-environment happy-dom
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'

import type { Joined, Member, RoomMessage, VoteState } from '@/protocol/messages'
import { RoomClient, type Spot } from '@/room/client'
import { arrowHead, extended } from '@/room/strokes'
import { ownVoter } from '@/room/voter'
import { parseRoute } from '@/shell/route'
import { update } from './frames'
import { SocketDouble } from './socket-double'

const FOX: Member = { member: 1, animal: 'fox', colour: 'blue', teacher: true, has_session: true, follows: null }
const OWL: Member = { member: 2, animal: 'owl', colour: 'red', teacher: false, has_session: true, follows: null }

function joined(change: Partial<Joined> = {}): Joined {
  return {
    type: 'joined', you: 1, room: '4827', members: [FOX, OWL], strokes: [], drawing: true, vote: null, choice: null, spotlight: null,
    stun_port: null, peers: false, seq: 1, ...change,
  }
}

let moved: string[]
let client: RoomClient

function hear(...messages: RoomMessage[]): void {
  for (const message of messages) SocketDouble.newest.receive(message)
}

beforeEach(() => {
  vi.useFakeTimers()
  SocketDouble.install()
  moved = []
  client = new RoomClient('4827', (room) => moved.push(room), 'ws://test/ws/room')
  SocketDouble.newest.open()
})

afterEach(() => {
  client.close()
  vi.useRealTimers()
})

describe('a room', () => {
  it('is joined once the connection is open, and again with a session that begins meanwhile', () => {
    expect(SocketDouble.newest.sent).toEqual([{ command: 'join', room: '4827' }])
    client.share({ id: 's', proof: 'p' })
    expect(SocketDouble.newest.commands()).toEqual(['join'])
    hear(joined())
    expect(SocketDouble.newest.sent.at(-1)).toEqual({ command: 'join', room: '4827', session: 's', proof: 'p' })
  })

  it('is joined without a session that the server does not know', () => {
    client.share({ id: 's', proof: 'p' })
    hear(joined(), { type: 'error', code: 'unproved_session', message: 'No.', command: 'join', field: 'proof' })
    expect(SocketDouble.newest.sent.at(-1)).toEqual({ command: 'join', room: '4827' })
    expect(client.state.error).toBeNull()
  })

  it('offers the session again when its instance was taken for gone, until it is refused', () => {
    client.share({ id: 's', proof: 'p' })
    hear(joined(), { type: 'member_changed', member: { ...FOX, has_session: false }, seq: 2 })
    expect(SocketDouble.newest.sent.at(-1)).toEqual({ command: 'join', room: '4827', session: 's', proof: 'p' })
    hear({ type: 'error', code: 'unproved_session', message: 'No.', command: 'join', field: 'proof' })
    const count = SocketDouble.newest.sent.length
    hear({ type: 'member_changed', member: { ...FOX, has_session: false }, seq: 3 })
    expect(SocketDouble.newest.sent.length).toBe(count)
  })

  it('says that a followed life waits until its frames come again', () => {
    hear(joined({ members: [{ ...FOX, follows: 2 }, OWL] }))
    hear({ type: 'error', code: 'store_unavailable', message: 'It waits.', command: null, field: null })
    expect(client.state.error).toContain('It waits.')
    hear({ type: 'frame', member: 2, message: update({ step: 3 }) })
    expect(client.state.error).toBeNull()
  })

  it('says nothing of a signal that is refused, because nobody gave that command', () => {
    hear(joined(), { type: 'error', code: 'unknown_member', message: 'No.', command: 'signal', field: null })
    expect(client.state.error).toBeNull()
    hear({ type: 'error', code: 'unknown_member', message: 'No.', command: 'follow', field: null })
    expect(client.state.error).toBe('No.')
  })

  it('knows this tab again by a random text, which a reload keeps', () => {
    const voter = ownVoter()
    expect(voter).toMatch(/^[0-9a-f]{32}$/)
    expect(ownVoter()).toBe(voter)
    const known = new RoomClient('4827', () => undefined, 'ws://test/ws/room', voter)
    SocketDouble.newest.open()
    expect(SocketDouble.newest.sent).toEqual([{ command: 'join', room: '4827', voter }])
    known.close()
  })

  it('is joined again after the connection was lost', () => {
    hear(joined())
    SocketDouble.newest.drop()
    expect(client.state.you).toBeNull()
    expect(client.state.room).toBe('4827')
    vi.advanceTimersByTime(1000)
    SocketDouble.newest.open()
    expect(SocketDouble.newest.sent).toEqual([{ command: 'join', room: '4827' }])
  })

  it('stays as it is when a join tells of another session', () => {
    const vote = { number: 1, question: 'yes_or_no' as const, counts: [0, 1], open: true }
    hear(joined({ vote }), { type: 'groups', groups: { '4827-1': 2 } }, { type: 'cursors', cursors: { 2: [3, 4] } })
    client.state.choice = 1
    hear(joined({ vote, members: [{ ...FOX, has_session: false }, OWL] }))
    expect(client.state.choice).toBe(1)
    expect(client.state.groups).toEqual({ '4827-1': 2 })
    expect(client.cursors.get(2)).toEqual([3, 4])
    expect(client.me?.has_session).toBe(false)
    hear(joined({ room: '4827-1' }))
    expect(client.state.choice).toBeNull()
    expect(client.cursors.size).toBe(0)
  })

  it('marks its own vote again after a reload', () => {
    const vote = { number: 1, question: 'yes_or_no' as const, counts: [0, 1], open: true }
    hear(joined({ vote, choice: 1 }))
    expect(client.state.choice).toBe(1)
  })

  it('that is full leaves its member where it was, says so, and can be tried again', () => {
    const full: RoomMessage = { type: 'error', code: 'room_full', message: 'No.', command: 'join', field: null }
    hear(joined())
    client.enter('4827-1')
    hear(full)
    expect([client.state.room, client.state.full, client.state.you, client.state.error]).toEqual(['4827', '4827-1', 1, null])
    // The address goes back too.
    expect(moved).toEqual(['4827'])
    client.enter('4827')
    expect(client.state.full).toBe('4827-1')
    client.enter('4827-1')
    expect(SocketDouble.newest.sent.at(-1)).toEqual({ command: 'join', room: '4827-1' })
    hear(joined({ room: '4827-1' }))
    expect([client.state.room, client.state.full]).toEqual(['4827-1', null])
  })

  it('that is full from the beginning is told, and can be tried again', () => {
    hear({ type: 'error', code: 'room_full', message: 'No.', command: 'join', field: null })
    expect([client.state.room, client.state.full, client.state.you]).toEqual(['4827', '4827', null])
    expect(moved).toEqual([])
    client.enter('4827')
    expect(SocketDouble.newest.commands()).toEqual(['join', 'join'])
    hear(joined())
    expect([client.state.full, client.state.you]).toEqual([null, 1])
  })

  it('tells who plays the life that is shown', () => {
    hear(joined({ spotlight: 2 }), { type: 'frame', member: 2, message: { type: 'playback', playing: false, speed: 1, controller: 'human' } })
    expect(client.state.controller).toBe('human')
  })

  it('is joined by a new connection when the server knows this browser as somebody else', () => {
    hear(joined())
    const before = SocketDouble.newest
    client.reopen()
    expect(client.state.you).toBeNull()
    expect(SocketDouble.newest).not.toBe(before)
    SocketDouble.newest.open()
    expect(SocketDouble.newest.sent).toEqual([{ command: 'join', room: '4827' }])
  })

  it('tells of what changes', () => {
    hear(
      joined(),
      { type: 'drawn', stroke: { member: 2, id: 'a', points: [[1, 1]], ink: 1 }, seq: 2 },
      { type: 'drawn', stroke: { member: 2, id: 'a', points: [[1, 1], [2, 2]], ink: 1 }, seq: 3 },
      { type: 'following', member: 2, follows: 1, seq: 4 },
      { type: 'cursors', cursors: { 2: [3, 4] } },
    )
    expect(client.state.strokes.map(({ points }) => points.length)).toEqual([2])
    expect(client.member(2)?.follows).toBe(1)
    expect(client.cursors.get(2)).toEqual([3, 4])
    hear({ type: 'member_left', member: 2, seq: 5 }, { type: 'moved', room: '4827-1' })
    expect(client.state.members).toEqual([FOX])
    expect(client.cursors.size).toBe(0)
    expect(moved).toEqual(['4827-1'])
  })

  it('shows the spotlight before whom one follows, and one\u2019s own life to oneself', () => {
    hear(joined(), { type: 'following', member: 1, follows: 2, seq: 2 })
    expect(client.watched).toBe(2)
    hear({ type: 'spotlight_set', member: 1, seq: 3 })
    expect(client.watched).toBe(2)
    hear({ type: 'frame', member: 2, message: update({ step: 7 }) }, { type: 'frame', member: 3, message: update({ step: 9 }) })
    expect(client.feed.frame?.step).toBe(7)
  })

  it('shows the life of an open vote to all, and until one looked away from its result', () => {
    const vote: VoteState = { number: 3, question: 'which_action', counts: [0, 0, 0, 0, 0], open: true, member: 2, agent: 'agent_1' }
    hear(joined({ members: [FOX, OWL, { ...OWL, member: 4 }], spotlight: 4 }))
    expect(client.watched).toBe(4)
    hear({ type: 'vote_changed', vote, seq: 2 }, { type: 'frame', member: 2, message: update() })
    expect([client.asked, client.watched, client.feed.followed.value]).toEqual([2, 2, 'agent_1'])
    hear({ type: 'member_left', member: 2, seq: 3 })
    expect(client.watched).toBe(4)
    hear({ type: 'member_joined', member: OWL, seq: 4 }, { type: 'vote_changed', vote: { ...vote, open: false }, seq: 5 })
    expect(client.watched).toBe(2)
    hear({ type: 'spotlight_set', member: 1, seq: 6 })
    expect([client.asked, client.watched]).toEqual([null, null])
  })

  it('takes nobody to a vote that ended before they came', () => {
    hear(joined({ vote: { number: 3, question: 'which_action', counts: [1, 0, 0, 0, 0], open: false, member: 2 } }))
    expect(client.watched).toBeNull()
  })

  it('is pointed at ten times a second at most, and the newest counts', () => {
    hear(joined())
    for (let x = 0; x < 50; x += 1) client.point([x / 10, 1])
    vi.advanceTimersByTime(200)
    const sent = SocketDouble.newest.sent.filter((one) => (one as { command: string }).command === 'cursor')
    expect(sent).toEqual([{ command: 'cursor', at: [0, 1] }, { command: 'cursor', at: [4.9, 1] }])
  })
})

describe('a line', () => {
  it('keeps within the bounds of the server, from its beginning to its end', () => {
    let line: readonly Spot[] = []
    for (let x = 0; x < 300; x += 1) line = extended(line, [x, 0])
    expect(line.length).toBeLessThanOrEqual(64)
    expect([line[0], line.at(-1)]).toEqual([[0, 0], [299, 0]])
    expect(extended(line, [299.05, 0])).toBe(line)
  })

  it('has a head that ends where the arrow ends', () => {
    expect(arrowHead([0, 0], [2, 0])).toMatch(/L2 0L/)
  })
})

it('is named by the address, if it is a room', () => {
  expect(parseRoute('?room=4827-2').room).toBe('4827-2')
  expect(parseRoute('?room=ann').room).toBeNull()
})
