// @vitest-environment happy-dom
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'

import type { WorldInfo } from '@/protocol/messages'
import { InferenceSession } from '@/session/session'
import { type DesiredState, noticeOf } from '@/session/state'
import { SocketDouble } from './socket-double'
import { update } from './frames'

const USUAL: WorldInfo = { title: 'The usual world', digest: 'd0', width: 8, height: 8, changes: {} }
const MODEL = 'trained_agent.pt'

beforeEach(() => {
  SocketDouble.install()
  sessionStorage.clear()
  vi.useFakeTimers()
})
afterEach(() => {
  vi.unstubAllGlobals()
  vi.useRealTimers()
})

function hello(resume: string | null): SocketDouble {
  const socket = SocketDouble.newest
  socket.receive({
    type: 'connected', available_models: [MODEL], session_id: 'fresh', model_name: MODEL, network_type: 'dueling',
    world: USUAL, protocol_version: 6, resume,
  })
  socket.receive({ type: 'episode_start', episode: 1, model_name: MODEL })
  socket.receive(update({ step: 0, episode: 1 }))
  return socket
}

function open(resume: string | null, desired: Partial<DesiredState> = {}): { session: InferenceSession; socket: SocketDouble } {
  const session = new InferenceSession(desired, () => undefined, 'ws://x/ws', 'watch')
  return { session, socket: hello(resume) }
}

function play(socket: SocketDouble, episode: number, actions: number[], from = 0): void {
  actions.forEach((action, place) => { socket.receive(update({ episode, action, step: from + place + 1 })) })
}

function resumed(socket: SocketDouble, playback: object = {}): void {
  socket.receive({
    type: 'session_resumed', session_id: 'first', episode: 3, step: 2, model_name: MODEL, network_type: 'dueling',
    world: USUAL, missed: 0,
  })
  socket.receive({ type: 'playback', playing: true, speed: 2.5, controller: 'policy', ...playback })
  socket.receive(update({ episode: 3, step: 2 }))
}

/** What a browser does with a page that is loaded again: all is lost but the tab's storage. */
function reload(session: InferenceSession): void {
  window.dispatchEvent(new Event('pagehide'))
  const kept = sessionStorage.getItem('hamlet.session.watch')
  session.close()
  if (kept !== null) sessionStorage.setItem('hamlet.session.watch', kept)
}

function lose(socket: SocketDouble, code = 1006): void {
  socket.drop(code)
  vi.advanceTimersByTime(1000)
}

describe('a session that goes on', () => {
  it('asks for it with the last actions after the connection was lost', () => {
    const { session, socket } = open('secret')
    socket.receive({ type: 'episode_start', episode: 3, model_name: MODEL })
    play(socket, 3, [1, 3])
    lose(socket)
    const next = hello('another')
    expect(next.sent).toEqual([{ command: 'resume_session', resume: 'secret', episode: 3, step: 2, actions: [1, 3] }])
    expect(session.feed.frame?.step).toBe(2)
    resumed(next, { playing: false, speed: 1 })
    expect(session.state).toMatchObject({ sessionId: 'first', episode: 3 })
    session.close()
  })

  it('brings a session that goes on to what was asked for meanwhile', () => {
    const { session, socket } = open('secret')
    session.play()
    lose(socket)
    session.pause()
    session.setSpeed(5)
    const next = hello('another')
    resumed(next)
    expect(next.commands()).toEqual(['resume_session', 'set_view', 'set_speed', 'pause'])
    session.close()
  })

  it('is there again after a reload, with what the server tells of it', () => {
    const before = open('secret')
    play(before.socket, 1, [4, 4, 0])
    reload(before.session)
    const { session, socket } = open('another')
    expect(socket.sent).toEqual([{ command: 'resume_session', resume: 'secret', episode: 1, step: 3, actions: [4, 4, 0] }])
    expect(session.feed.frame).toBeNull()
    resumed(socket, { controller: 'human' })
    expect(session.desired).toMatchObject({ playing: true, speed: 2.5, human: true })
    expect(session.feed.frame?.step).toBe(2)
    expect(socket.commands()).toEqual(['resume_session', 'set_view'])
    session.close()
  })

  it('begins anew after a link to another model', () => {
    const before = open('secret')
    reload(before.session)
    const { session, socket } = open('another', { model: 'checkpoint_ep50.pt' })
    expect(socket.commands()).toEqual(['load_model'])
    session.close()
  })

  it('shows the fresh session where the old one is gone, and brings that to what was desired', () => {
    const { session, socket } = open('secret')
    session.play()
    play(socket, 1, [0])
    lose(socket)
    const next = hello('another')
    next.receive({ type: 'error', code: 'unknown_session', message: 'It is gone.', command: 'resume_session', field: null })
    expect(next.commands()).toEqual(['resume_session', 'play'])
    expect(session.feed.frame?.step).toBe(0)
    expect(noticeOf(session.state)).toContain('A new one has begun')
    session.dismissNotice()
    expect(noticeOf(session.state)).toBeNull()
    lose(next)
    expect(hello('third').sent[0]).toMatchObject({ resume: 'another' })
    session.close()
  })

  it('asks three times where the store of sessions does not answer', () => {
    const { session, socket } = open('secret')
    play(socket, 1, [0])
    lose(socket)
    for (const secret of ['second', 'third', 'fourth']) {
      const next = hello(secret)
      expect(next.sent[0]).toMatchObject({ command: 'resume_session', resume: 'secret' })
      expect(noticeOf(session.state)).toBeNull()
      next.receive({ type: 'error', code: 'store_unavailable', message: 'No answer.', command: 'resume_session', field: null })
    }
    expect(noticeOf(session.state)).toContain('lost')
    lose(SocketDouble.newest)
    expect(hello('fifth').sent[0]).toMatchObject({ resume: 'fourth' })
    session.close()
  })

  it('gives a session up that another tab went on with', () => {
    const { session, socket } = open('secret')
    play(socket, 1, [0])
    lose(socket, 4409)
    expect(hello('another').commands()).toEqual([])
    expect(noticeOf(session.state)).toBeNull()
    session.close()
  })

  it('brings no more actions than the server takes, and none of another episode', () => {
    const { session, socket } = open('secret')
    play(socket, 1, [1, 1])
    play(socket, 2, Array.from({ length: 600 }, (_, place) => place % 5))
    lose(socket)
    const [command] = hello('another').sent as { actions: number[]; step: number }[]
    expect(command?.step).toBe(600)
    expect(command?.actions).toHaveLength(512)
    expect(command?.actions.at(-1)).toBe(599 % 5)
    session.close()
  })

  it('keeps nothing where the server keeps nothing', () => {
    const { session, socket } = open(null)
    expect(noticeOf(session.state)).toBeNull()
    play(socket, 1, [0])
    lose(socket)
    expect(hello(null).commands()).toEqual([])
    expect(noticeOf(session.state)).toContain('lost')
    expect(sessionStorage.length).toBe(0)
    session.close()
  })
})
