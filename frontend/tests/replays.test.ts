// @vitest-environment happy-dom
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'

import type { ReplayStarted } from '@/protocol/messages'
import { InferenceSession } from '@/session/session'
import type { DesiredState, FinishedEpisode } from '@/session/state'
import { SocketDouble } from './socket-double'
import { update } from './frames'

beforeEach(() => { SocketDouble.install() })
afterEach(() => { vi.unstubAllGlobals() })

function connect(desired: Partial<DesiredState> = {}): { session: InferenceSession; socket: SocketDouble; finished: FinishedEpisode[] } {
  const finished: FinishedEpisode[] = []
  const session = new InferenceSession(desired, (episode) => finished.push(episode), 'ws://x/ws')
  const socket = SocketDouble.newest
  socket.receive({
    type: 'connected', available_models: ['trained_agent.pt'], session_id: 'a1', model_name: 'trained_agent.pt',
    network_type: 'dueling', protocol_version: 3,
  })
  socket.receive({ type: 'episode_start', episode: 1, model_name: 'trained_agent.pt' })
  socket.receive(update({ step: 0 }))
  return { session, socket, finished }
}

function replay(change: Partial<ReplayStarted> = {}): ReplayStarted {
  return {
    type: 'replay_started', recording: null, model_name: 'trained_agent.pt', episode: 1, steps: 40, markers: [],
    can_branch: true, num_agents: 1, q_value_range: null, ...change,
  }
}

function playback(change: object = {}): object {
  return { type: 'playback', playing: false, speed: 1, controller: 'recording', ...change }
}

function seeks(socket: SocketDouble): number[] {
  return socket.sent.filter((one) => (one as { command: string }).command === 'seek').map((one) => (one as { step: number }).step)
}

describe('a timeline', () => {
  it('asks for one step at a time while it is dragged, and ends where the thumb does', () => {
    const { session, socket } = connect()
    socket.receive(update({ step: 40 }))
    for (const step of [39, 35, 30, 22]) session.replays.seek(step)
    expect(seeks(socket)).toEqual([39])
    expect(session.replays.state.seeking).toBe(22)
    socket.receive(replay())
    socket.receive(playback())
    socket.receive(update({ step: 39 }))
    expect(seeks(socket)).toEqual([39, 22])
    socket.receive(update({ step: 22 }))
    expect(session.replays.state.seeking).toBeNull()
    expect(session.feed.snapshot.value?.step).toBe(22)
    session.close()
  })

  it('steps back and forth, and past the last step of its own episode to the present', () => {
    const { session, socket } = connect()
    socket.receive(update({ step: 2 }))
    session.replays.back()
    socket.receive(replay({ steps: 2 }))
    socket.receive(update({ step: 1 }))
    session.step()
    expect(seeks(socket)).toEqual([1, 2])
    socket.receive(update({ step: 2 }))
    session.step()
    expect(socket.commands().at(-1)).toBe('leave_replay')
    session.close()
  })

  it('forgets what the server would not show', () => {
    const { session, socket } = connect()
    session.replays.seek(3)
    socket.receive({ type: 'error', message: 'No.', code: 'out_of_range', command: 'seek', field: 'step' })
    expect(session.replays.state.seeking).toBeNull()
    session.close()
  })
})

describe('recording', () => {
  it('lasts to the end of the episode, or until it is asked for again', () => {
    const { session, socket } = connect()
    session.replays.record()
    expect(socket.sent.at(-1)).toEqual({ command: 'record', to_end: true })
    expect(session.replays.state.recording).toBe('to end')
    session.replays.record()
    expect(socket.sent.at(-1)).toEqual({ command: 'record', to_end: false })
    socket.receive({ type: 'error', message: 'The disk is full.', code: 'recording_failed', command: 'record', field: null })
    expect(session.replays.state.recording).toBeNull()
    session.close()
  })

  it('is asked for again on another connection that goes on with the episode', () => {
    const { session, socket } = connect()
    session.replays.record()
    session.replays.down()
    session.replays.resumed()
    expect(socket.sent.at(-1)).toEqual({ command: 'record', to_end: true })
    session.close()
  })

  it('takes the whole of an episode that is rewound', () => {
    const { session, socket } = connect()
    socket.receive(replay())
    session.replays.record()
    expect(socket.sent.at(-1)).toEqual({ command: 'record', to_end: false })
    session.close()
  })
})

describe('a recording', () => {
  it('is opened from a link, and once more after a reconnect', () => {
    vi.useFakeTimers()
    const { session, socket } = connect({ recording: 'r1' })
    expect(socket.commands()).toEqual(['load_recording'])
    socket.receive(replay({ recording: 'r1' }))
    expect(session.replays.state).toMatchObject({ opening: null, replay: { recording: 'r1' } })
    socket.drop()
    expect(session.replays.state.replay).toBeNull()
    expect(session.desired.recording).toBe('r1')
    session.close()
    vi.useRealTimers()
  })

  it('that cannot be opened leaves what was on screen', () => {
    const { session, socket } = connect()
    session.replays.open('gone')
    socket.receive({ type: 'error', message: 'Not here.', code: 'unknown_recording', command: 'load_recording', field: 'recording' })
    expect(session.desired.recording).toBeNull()
    expect(session.state.error).toBe('Not here.')
    session.close()
  })

  it('gives a life in which the model goes on, and which counts in no record', () => {
    const { session, socket, finished } = connect()
    socket.receive(replay({ recording: 'r1' }))
    session.goOn()
    expect(socket.commands()).toEqual(['get_life', 'take_control', 'release_control', 'play'])
    socket.receive({ type: 'replay_ended', recording: 'r1' })
    socket.receive({ type: 'branched', episode: 2, model_name: 'trained_agent.pt', step: 7, recording: 'r1' })
    socket.receive(playback({ controller: 'policy', playing: true }))
    socket.receive(update({ step: 8, episode: 2 }))
    expect(session.desired.recording).toBeNull()
    socket.receive({
      type: 'episode_end', episode: 2, steps: 76, total_reward: -70, reason: 'meter_depleted', failure_reason: 'bankrupt',
    })
    expect(finished.at(-1)?.by).toBe('both')
    session.close()
  })

  it('that cannot be gone on from leaves the hands free', () => {
    const { session, socket } = connect()
    socket.receive(replay({ recording: 'r1', can_branch: false }))
    session.takeControl()
    socket.receive({ type: 'error', message: 'No.', code: 'cannot_branch', command: 'take_control', field: null })
    expect(session.desired.human).toBe(false)
    session.close()
  })

  it('is told when it is kept', () => {
    const { session, socket } = connect()
    session.replays.record()
    expect(session.replays.state.recording).toBe('to end')
    socket.receive({ type: 'recording_saved', recording: { recording: 'r9', episode: 1, steps: 3 } })
    expect(session.replays.state).toMatchObject({ recording: null, recorded: { recording: 'r9' } })
    session.close()
  })

  it('and the notice of that, which lies over the world, goes with the next move in it', () => {
    const { session, socket } = connect()
    const moves = [
      () => { session.replays.seek(2) }, () => { session.play() }, () => { session.step() }, () => { session.act(1) },
      () => { socket.receive({ type: 'replay_ended', recording: null }) },
    ]
    for (const move of moves) {
      socket.receive({ type: 'recording_saved', recording: { recording: 'r9', episode: 1, steps: 3 } })
      expect(session.replays.state.recorded).not.toBeNull()
      move()
      expect(session.replays.state.recorded).toBeNull()
    }
    session.close()
  })
})
