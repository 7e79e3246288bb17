// @vitest-environment happy-dom
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'

import type { EpisodeEnd, WorldInfo } from '@/protocol/messages'
import { InferenceSession } from '@/session/session'
import type { DesiredState, FinishedEpisode } from '@/session/state'
import examples from './compact.json'
import { update } from './frames'
import { SocketDouble } from './socket-double'

beforeEach(() => { SocketDouble.install() })
afterEach(() => { vi.unstubAllGlobals() })

function end(change: Partial<EpisodeEnd> = {}): EpisodeEnd {
  return {
    type: 'episode_end', episode: 1, steps: 76, total_reward: -70, reason: 'meter_depleted',
    failure_reason: 'mood_depleted', ...change,
  }
}

function connect(desired: Partial<DesiredState> = {}, model: string | null = 'trained_agent.pt'): {
  session: InferenceSession
  socket: SocketDouble
  finished: FinishedEpisode[]
} {
  const finished: FinishedEpisode[] = []
  const session = new InferenceSession(desired, (episode) => finished.push(episode), 'ws://x/ws')
  hello(model)
  return { session, socket: SocketDouble.newest, finished }
}

const USUAL: WorldInfo = { title: 'The usual world', digest: 'd0', width: 8, height: 8, changes: {} }
const FAR: WorldInfo = { title: 'Twice as far', digest: 'd1', width: 16, height: 16, changes: { width: 16, height: 16 } }

function hello(model: string | null = 'trained_agent.pt'): void {
  const socket = SocketDouble.newest
  socket.receive({
    type: 'connected', available_models: ['trained_agent.pt', 'checkpoint_ep50.pt'], session_id: 'a1',
    model_name: model, network_type: 'dueling', world: USUAL, protocol_version: 2,
  })
  socket.receive({ type: 'episode_start', episode: 1, model_name: model })
  socket.receive(update({ step: 0 }))
}

function playback(change: object = {}): object {
  return { type: 'playback', playing: true, speed: 1, controller: 'policy', ...change }
}

describe('a session', () => {
  it.each(['reset', 'model_changed'] as const)('is not over when another life follows at once: %s', (reason) => {
    const { session, socket } = connect()
    socket.receive(end({ reason, failure_reason: null }))
    expect(session.state.over).toBeNull()
    session.close()
  })

  it('shows the world before anything is played', () => {
    const { session, socket } = connect()
    expect(session.feed.frame?.step).toBe(0)
    expect(session.state).toMatchObject({ model: 'trained_agent.pt', episode: 1, playing: false })
    expect(socket.sent).toEqual([])
    session.close()
  })

  it('asks for compact frames, and shows what they stand for', () => {
    const { session, socket } = connect()
    expect(socket.compact).toBe(1)
    for (const frame of examples[0]?.sent ?? []) socket.receive(frame)
    expect(session.feed.frame).toMatchObject({ step: 3, agents: [{ x: 5, y: 4, last_action: 'interact' }] })
    session.close()
  })

  it('is brought to what was wished, and plays only the model that was wished', () => {
    const { session, socket } = connect({ model: 'checkpoint_ep50.pt', speed: 5, playing: true, think: true })
    expect(socket.commands()).toEqual(['set_view', 'set_speed', 'load_model'])
    expect(session.state.loading).toBe('checkpoint_ep50.pt')
    socket.receive({ type: 'model_loaded', model: 'checkpoint_ep50.pt', network_type: 'qnetwork' })
    expect(socket.commands().at(-1)).toBe('play')
    expect(session.state).toMatchObject({ loading: null, model: 'checkpoint_ep50.pt', networkType: 'qnetwork' })
    session.close()
  })

  it('begins with another model in the same episode, without an ending', () => {
    const { session, socket, finished } = connect()
    session.load('checkpoint_ep50.pt')
    session.play()
    expect(socket.commands()).toEqual(['load_model'])
    expect(session.playing).toBe(true)
    socket.receive({ type: 'model_loaded', model: 'checkpoint_ep50.pt', network_type: 'qnetwork' })
    socket.receive({ type: 'episode_start', episode: 1, model_name: 'checkpoint_ep50.pt' })
    socket.receive(update({ step: 0 }))
    expect(socket.commands()).toEqual(['load_model', 'play'])
    expect(session.state).toMatchObject({ episode: 1, model: 'checkpoint_ep50.pt', over: null, last: null })
    expect(finished).toEqual([])
    session.close()
  })

  it('withdraws a play that waits for a model', () => {
    const { session, socket } = connect()
    session.load('checkpoint_ep50.pt')
    session.play()
    session.toggle()
    expect(session.playing).toBe(false)
    socket.receive({ type: 'model_loaded', model: 'checkpoint_ep50.pt', network_type: 'qnetwork' })
    expect(socket.commands()).toEqual(['load_model', 'pause'])
    session.close()
  })

  it('goes on after a reconnect as it was', () => {
    vi.useFakeTimers()
    const { session } = connect()
    session.play()
    SocketDouble.newest.receive(playback())
    session.setSpeed(3)
    SocketDouble.newest.drop()
    expect(session.state.playing).toBe(false)
    vi.advanceTimersByTime(1000)
    hello()
    expect(SocketDouble.all).toHaveLength(2)
    expect(SocketDouble.newest.sent).toEqual([{ command: 'set_speed', speed: 3 }, { command: 'play' }])
    session.close()
    vi.useRealTimers()
  })

  it('keeps playing the old model when a load fails, and says why', () => {
    const { session, socket } = connect()
    session.load('checkpoint_ep50.pt')
    socket.receive({ type: 'error', message: 'It is damaged.', code: 'unusable_model', command: 'load_model', field: 'model' })
    expect(session.state).toMatchObject({ loading: null, model: 'trained_agent.pt', error: 'It is damaged.' })
    expect(session.desired.model).toBe('trained_agent.pt')
    session.close()
  })

  it('pauses before it steps', () => {
    const { session, socket } = connect()
    socket.receive(playback())
    session.step()
    socket.receive(playback({ playing: false }))
    session.step()
    expect(socket.commands()).toEqual(['pause', 'step', 'step'])
    session.close()
  })

  it('records an episode for whoever played all of it', () => {
    const { session, socket, finished } = connect()
    socket.receive(update({ step: 1 }))
    socket.receive(end())
    expect(finished).toMatchObject([{ by: 'policy', model: 'trained_agent.pt', end: { steps: 76 } }])
    expect(session.survived.value).toEqual([76])
    socket.receive({ type: 'episode_start', episode: 2, model_name: 'trained_agent.pt' })
    socket.receive(playback({ controller: 'human' }))
    socket.receive(update({ step: 1, episode: 2 }))
    socket.receive(end({ episode: 2, steps: 9 }))
    expect(finished.at(-1)).toMatchObject({ by: 'human', end: { steps: 9 } })
    socket.receive({ type: 'episode_start', episode: 3, model_name: 'trained_agent.pt' })
    socket.receive(update({ step: 1, episode: 3 }))
    socket.receive(playback({ controller: 'policy' }))
    socket.receive(update({ step: 2, episode: 3 }))
    socket.receive(end({ episode: 3 }))
    expect(finished.at(-1)).toMatchObject({ by: 'both' })
    session.close()
  })

  it('says nothing of an episode thrown away before its first step', () => {
    const { session, socket, finished } = connect()
    socket.receive(end({ reason: 'model_changed', steps: 0, failure_reason: null }))
    expect(session.state.last).toBeNull()
    expect(finished).toEqual([])
    session.close()
  })

  it('sends a person’s steps one by one, and none into a life that has ended', () => {
    const { session, socket } = connect()
    socket.receive(playback({ controller: 'human' }))
    for (let key = 0; key < 10; key++) session.act(2)
    expect(socket.sent).toEqual([{ command: 'act', action: 2 }])
    socket.receive(update({ step: 1 }))
    expect(socket.sent).toHaveLength(2)
    socket.receive(update({ step: 2, done: true }))
    session.act(1)
    socket.receive(end({ steps: 2 }))
    expect(socket.sent).toHaveLength(2)
    session.act(0)
    expect(socket.sent.at(-1)).toEqual({ command: 'act', action: 0 })
    session.close()
  })

  it('takes keys from the moment control is asked for, and gives none that wait to the policy', () => {
    const { session, socket } = connect({ human: true })
    session.act(0)
    session.act(1)
    expect(socket.sent).toEqual([{ command: 'take_control' }, { command: 'act', action: 0 }])
    session.releaseControl()
    socket.receive(playback({ playing: false, controller: 'human' }))
    socket.receive(update({ step: 1 }))
    expect(socket.commands()).toEqual(['take_control', 'act', 'release_control'])
    session.close()
  })

  it('asks for hints about the world on screen once no key waits', () => {
    const { session, socket } = connect({ human: true, think: true })
    socket.receive(update({ step: 1 }))
    expect(socket.sent.at(-1)).toEqual({ command: 'set_view', q_values: true, attention: true })
    const asked = socket.sent.length
    session.act(0)
    session.act(1)
    socket.receive(update({ step: 2 }))
    expect(socket.commands().slice(asked)).toEqual(['act', 'act'])
    socket.receive(update({ step: 3 }))
    expect(socket.commands().at(-1)).toBe('set_view')
    session.close()
  })

  it('steps after a play that the server has not answered yet', () => {
    const { session, socket } = connect()
    session.play()
    session.step()
    expect(socket.commands()).toEqual(['play', 'pause', 'step'])
    session.close()
  })

  it('shows the values of the world on screen when they are switched on while paused', () => {
    const { session, socket } = connect()
    session.setThink(true)
    socket.receive({
      type: 'view', q_values: true, attention: true, current_q_values: [1, 2, 3, 4, 5], current_attention: null,
      current_option_values: [{ place: 'Bar', value: 9.1 }],
    })
    expect(session.feed.frame?.qValues).toEqual([1, 2, 3, 4, 5])
    expect(session.feed.frame?.options).toEqual([{ place: 'Bar', value: 9.1 }])
    session.setThink(false)
    socket.receive({
      type: 'view', q_values: false, attention: false, current_q_values: null, current_attention: null,
      current_option_values: null,
    })
    expect(session.feed.frame?.qValues).toBeNull()
    session.close()
  })

  it('leaves a slider alone while it is being dragged', () => {
    const { session, socket } = connect()
    session.setSpeed(5)
    socket.receive(playback({ speed: 2 }))
    expect(session.state.speed).toBe(5)
    session.close()
  })
})

describe("a session's world", () => {
  it('is chosen after the model, which must be able to read it', () => {
    const { session, socket } = connect({ model: 'checkpoint_ep50.pt', world: 'twice-as-far' })
    expect(socket.commands()).toEqual(['load_model', 'set_world'])
    socket.receive({ type: 'model_loaded', model: 'checkpoint_ep50.pt', network_type: 'qnetwork' })
    socket.receive({ type: 'world_set', world: FAR })
    expect(session.state.world).toEqual(FAR)
    session.close()
  })

  it('may be an object of what differs, and stays what it was when it is refused', () => {
    const { session, socket } = connect()
    session.setWorld('{"width": 1}')
    expect(socket.sent.at(-1)).toEqual({ command: 'set_world', world: { width: 1 } })
    socket.receive({
      type: 'error', code: 'invalid_world', message: '`width` must be 2 to 128.', command: 'set_world', field: 'world.width',
    })
    expect(session.state.worldError).toEqual({ message: '`width` must be 2 to 128.', field: 'world.width' })
    expect(session.desired.world).toBeNull()
    expect(session.state.world).toEqual(USUAL)
    session.close()
  })

  it('is brought by a model, and by another connection the one that was chosen', () => {
    const { session, socket } = connect()
    session.load('checkpoint_ep50.pt')
    socket.receive({ type: 'world_set', world: FAR })
    expect(session.state.world).toEqual(FAR)
    expect(session.desired.world).toBeNull()
    session.setWorld('two-bars')
    session.begin('trained_agent.pt', 'two-bars')
    hello()
    expect(SocketDouble.newest).not.toBe(socket)
    expect(SocketDouble.newest.sent).toEqual([{ command: 'set_world', world: 'two-bars' }])
    session.setWorld(null)
    hello()
    expect(SocketDouble.newest.sent).toEqual([])
    session.close()
  })
})
