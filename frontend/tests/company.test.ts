// @vitest-environment happy-dom
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'

import { doing, endingOf, longest } from '@/company/agents'
import type { AgentState, StateUpdate, WorldInfo } from '@/protocol/messages'
import { InferenceSession } from '@/session/session'
import type { DesiredState } from '@/session/state'
import { following, frameOfInference } from '@/world/frame'
import { SocketDouble } from './socket-double'
import { update } from './frames'

beforeEach(() => { SocketDouble.install() })
afterEach(() => { vi.unstubAllGlobals() })

const METERS = { energy: 0.9, hygiene: 0.4, satiation: 0.2, money: 50, mood: 75, social: 0.5 }
const BREAKDOWN = { meters: 1, interaction: 0, proximity: 0, hunger: 0, ending: 0 }
const WORLD: WorldInfo = { title: '', digest: 'd', width: 8, height: 8, changes: { num_agents: 2 } }

function state(change: Partial<AgentState> = {}): AgentState {
  return {
    meters: METERS, last_action: 'interact', reward: 1, alive: true, failure_reason: null, cumulative_reward: 1,
    reward_breakdown: BREAKDOWN, ...change,
  }
}

/** A frame with two agents at the bed; the second one is changed. */
function two(step: number, second: Partial<AgentState> = {}): StateUpdate {
  const frame = update({ step })
  const at = { x: 1, y: 1, last_action: 'interact' } as const
  return {
    ...frame,
    grid: { ...frame.grid, agents: [{ id: 'agent_0', color: '#111111', ...at }, { id: 'agent_1', color: '#222222', ...at }] },
    agents: { agent_0: state(), agent_1: state({ reward: 2, cumulative_reward: 7, ...second }) },
  }
}

function connect(desired: Partial<DesiredState> = {}): { session: InferenceSession; socket: SocketDouble } {
  const session = new InferenceSession(desired, () => undefined, 'ws://x/ws')
  hello()
  return { session, socket: SocketDouble.newest }
}

function hello(): void {
  const socket = SocketDouble.newest
  socket.receive({
    type: 'connected', available_models: ['a.pt', 'b.pt'], session_id: 'a1', model_name: 'a.pt', network_type: 'dueling',
    world: WORLD, protocol_version: 4, num_agents: 1,
  })
  socket.receive({ type: 'episode_start', episode: 1, model_name: 'a.pt', start: 'usual', num_agents: 1 })
}

function begin(socket: SocketDouble): void {
  socket.receive({ type: 'world_set', world: WORLD })
  socket.receive({
    type: 'episode_start', episode: 2, model_name: 'a.pt', start: 'usual', num_agents: 2, models: { agent_0: 'a.pt', agent_1: 'b.pt' },
  })
  socket.receive(two(0, { last_action: '' }))
}

describe('several agents in a session', () => {
  it('end one by one: the page says whose life it was, and when the last one ended', () => {
    const { session, socket } = connect({ agents: 2 })
    begin(socket)
    const agents = {
      agent_0: { steps: 86, total_reward: 5, failure_reason: 'energy_depleted' }, agent_1: { steps: 300, total_reward: 9, failure_reason: 'mood_depleted' },
    }
    socket.receive({ type: 'episode_end', episode: 2, steps: 300, total_reward: 5, reason: 'meter_depleted', failure_reason: 'energy_depleted', agents })
    const { over } = session.state
    expect(over).toMatchObject({ steps: 86, agent: 'agent_0' })
    expect(over && endingOf(over, over.agent)).toMatch(/^A: /)
    expect(over && endingOf(over, null)).not.toMatch(/^A: /)
    expect(longest(agents)).toBe(300)
  })

  it('are chosen, each with a model, and are there again on another connection', () => {
    const { session, socket } = connect()
    session.company.choose(2, true)
    expect(socket.sent.at(-1)).toEqual({ command: 'set_world', num_agents: 2, contention: true })
    begin(socket)
    expect(session.company.models.value).toEqual({ agent_0: 'a.pt', agent_1: 'b.pt' })
    session.company.cast('agent_1', 'b.pt')
    session.company.follow('agent_1')
    const before = socket.sent.length
    session.restore()
    expect(socket.sent.slice(before)).toEqual([
      { command: 'set_world', num_agents: 2, contention: true },
      { command: 'load_model', model: 'b.pt', agent: 'agent_1' },
      { command: 'set_view', agent: 'agent_1' },
    ])
    session.close()
  })

  it('are followed one at a time: figures, values and the life are those of that one', () => {
    const { session, socket } = connect({ agents: 2 })
    begin(socket)
    socket.receive(two(1))
    expect(session.feed.frame).toMatchObject({ followed: 'agent_0', reward: 0.5 })
    session.company.follow('agent_1')
    expect(socket.sent.slice(-2)).toEqual([{ command: 'set_view', agent: 'agent_1' }, { command: 'get_life' }])
    expect(session.feed.frame).toMatchObject({ followed: 'agent_1', reward: 2, total: 7, breakdown: BREAKDOWN, qValues: null })
    socket.receive({
      type: 'life', recording: null, model_name: 'b.pt', episode: 2, steps: 1, stride: 1, returns: [0, 7], cells: [[1, 1], [1, 1]],
      meters: Object.fromEntries(Object.keys(METERS).map((name) => [name, [1, 0.5]])), markers: [], death: null, agent: 'agent_1',
    })
    socket.receive(two(2, { cumulative_reward: 9 }))
    expect(session.lives.shown?.returns).toEqual([0, 7, 9])
    session.close()
  })

  it('end one by one: what is shown of the end is how it went for the one that is followed', () => {
    const { session, socket } = connect({ agents: 2 })
    begin(socket)
    session.company.follow('agent_1')
    socket.receive(two(1, { alive: false, failure_reason: 'bankrupt' }))
    socket.receive(two(2, { alive: false, failure_reason: 'bankrupt', last_action: '' }))
    expect(session.lives.shown?.steps).toEqual([0, 1])
    socket.receive({
      type: 'episode_end', episode: 2, steps: 500, total_reward: 90, reason: 'max_steps', failure_reason: 'bankrupt',
      agents: { agent_0: { steps: 500, total_reward: 90, failure_reason: null }, agent_1: { steps: 1, total_reward: 7, failure_reason: 'bankrupt' } },
    })
    expect(session.state.over).toMatchObject({ steps: 1, total_reward: 7, reason: 'meter_depleted', failure_reason: 'bankrupt' })
    session.close()
  })

  it('say what they do: act, wait for another, or have ended', () => {
    const frame = frameOfInference(two(3, { waiting_for: 'agent_0' }))
    expect(doing(frame, 'agent_0')).toEqual({ kind: 'acts', text: 'Uses Bed' })
    expect(doing(frame, 'agent_1')).toEqual({ kind: 'waits', text: 'Waits for A: Bed' })
    expect(doing(frameOfInference(two(3, { alive: false, failure_reason: 'bankrupt' })), 'agent_1')).toEqual({ kind: 'ended', text: 'Money ran out' })
  })
})

it('leaves the figures of a single agent as they are', () => {
  const frame = frameOfInference(update())
  expect(following(frame, 'agent_0')).toBe(frame)
  expect(following(frame, 'agent_3')).toBe(frame)
})
