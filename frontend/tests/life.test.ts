import { describe, expect, it } from 'vitest'

import { LifeBook } from '@/life/book'
import { crossings } from '@/life/crossing'
import { LifeTrace } from '@/life/trace'
import { visitsOf } from '@/life/visits'
import type { EpisodeEnd, Life } from '@/protocol/messages'
import { frameOfInference } from '@/world/frame'
import { update } from './frames'

type Frame = Parameters<LifeTrace['push']>[0]

function frame(step: number, change: { x?: number; action?: string; satiation?: number; money?: number; social?: number; total?: number } = {}): Frame {
  const made = frameOfInference(update({ step, cumulative_reward: change.total ?? 0 }))
  const state = made.states.agent_0
  const meters = { energy: 0.9, hygiene: 0.9, satiation: change.satiation ?? 0.5, money: change.money ?? 20, mood: 80, social: change.social ?? 0.5 }
  return {
    ...made,
    agents: [{ id: 'agent_0', x: change.x ?? 1, y: 3, color: '#000', last_action: (change.action ?? 'up') as 'up' }],
    affordances: [{ type: 'HomeMeal', x: 1, y: 3, qualifier: '' }],
    states: { agent_0: { ...state, meters, last_action: 'up', reward: 0 } },
  }
}

const END: EpisodeEnd = { type: 'episode_end', episode: 1, steps: 3, total_reward: -5, reason: 'meter_depleted', failure_reason: 'mood_depleted' }

function lived(returns: number[], episode = 1): LifeTrace {
  const trace = new LifeTrace(episode, 'a.pt')
  returns.forEach((total, step) => { trace.push(frame(step, { total })) })
  return trace
}

describe('a life', () => {
  it('has a row for each step, and none for a frame that is shown again', () => {
    const trace = lived([0, 1, 2])
    trace.push(frame(2, { total: 2 }))
    expect(trace.steps).toEqual([0, 1, 2])
    expect(trace.returns).toEqual([0, 1, 2])
    expect(trace.meters[3]).toEqual([0.6, 0.6, 0.6])
    expect(trace.cells).toEqual([[1, 3], [1, 3], [1, 3]])
  })

  it('marks what was used, once for uses in a row, and not what was refused', () => {
    const trace = new LifeTrace(1, null)
    trace.push(frame(0, { satiation: 0.2 }))
    trace.push(frame(1, { satiation: 0.6, money: 17, action: 'interact' }))
    trace.push(frame(2, { satiation: 0.9, money: 14, action: 'interact' }))
    trace.push(frame(3, { satiation: 0.8, money: 14, action: 'interact' }))
    trace.push(frame(4, { satiation: 0.9, money: 11, action: 'interact', x: 5 }))
    expect(trace.markers).toEqual([{ step: 1, kind: 'interaction', what: 'HomeMeal', count: 2 }])
  })

  it('marks a meter that turns critical, again only after it has risen', () => {
    const trace = new LifeTrace(1, null)
    ;[0.5, 0.25, 0.19, 0.1, 0.3, 0.1].forEach((social, step) => { trace.push(frame(step, { social })) })
    expect(trace.markers.map(({ step, what }) => [step, what])).toEqual([[2, 'social'], [5, 'social']])
  })

  it('comes whole from the server, with rows apart in a long one', () => {
    const life: Life = {
      type: 'life', recording: 'r', model_name: 'a.pt', episode: 9, steps: 7, stride: 3,
      meters: { energy: [1, 0.9, 0.8, 0.7] }, returns: [0, 3, 6, 7], cells: [[0, 0], [1, 0], [2, 0], [2, 1]],
      markers: [{ step: 7, kind: 'end', what: 'mood_depleted', count: 1 }],
      death: { failure_reason: 'mood_depleted', meter: 'mood', last_chance: { step: 5, places: ['Gym'] }, lonely_since: 2 },
    }
    const trace = LifeTrace.of(life)
    expect(trace.steps).toEqual([0, 3, 6, 7])
    expect(trace.rowAt(5)).toBe(1)
    expect(trace.rowAt(99)).toBe(3)
    expect(trace.end).toEqual({ reason: 'meter_depleted', failure_reason: 'mood_depleted' })
    expect(trace.death?.last_chance?.step).toBe(5)
  })
})

describe('the lives of a session', () => {
  it('keep those that were lived to their end', () => {
    const book = new LifeBook()
    book.begin(1, 'a.pt')
    ;[0, 1, 2, 3].forEach((step) => { book.push(frame(step)) })
    book.end(END)
    expect(book.past).toHaveLength(1)
    book.begin(2, 'a.pt')
    book.push(frame(0))
    book.end({ ...END, episode: 2, steps: 0, reason: 'reset', failure_reason: null })
    expect(book.past).toHaveLength(1)
    const told: Life = {
      type: 'life', recording: null, model_name: 'a.pt', episode: 1, steps: 3, stride: 1, meters: {}, returns: [], cells: [], markers: [],
      death: { failure_reason: 'mood_depleted', meter: 'mood', last_chance: null, lonely_since: null },
    }
    book.told(told, false)
    expect(book.past[0]?.death?.meter).toBe('mood')
  })

  it('branch off from the one that is replayed', () => {
    const book = new LifeBook()
    book.begin(1, 'a.pt')
    ;[0, 1, 2, 3].forEach((step) => { book.push(frame(step, { x: step })) })
    book.branch(2, 2, 'a.pt')
    book.push(frame(3, { x: 7 }))
    expect(book.shown?.cells).toEqual([[0, 3], [1, 3], [2, 3], [7, 3]])
    expect(book.shown?.episode).toBe(2)
  })

  it('count their visits: of the life on screen, or with the last ones', () => {
    const book = new LifeBook()
    book.begin(1, 'a.pt')
    ;[0, 1, 2, 3].forEach((step) => { book.push(frame(step, { x: 0 })) })
    book.end(END)
    book.begin(2, 'a.pt')
    ;[0, 1].forEach((step) => { book.push(frame(step, { x: step + 4 })) })
    expect(visitsOf(book, 0, true)).toEqual({ '4,3': 1 })
    expect(visitsOf(book, 1, false)).toEqual({ '0,3': 1, '4,3': 0.25, '5,3': 0.25 })
  })
})

describe('returns', () => {
  it('cross where one life overtakes another for good', () => {
    const cheater = lived([0, 5, 6, 7, 7, 7])
    const honest = lived([0, 1, 8, 5, 8, 9])
    expect(crossings([cheater, honest])).toEqual([{ step: 4, value: 7, ahead: 1, behind: 0 }])
    expect(crossings([honest, cheater])).toEqual([{ step: 4, value: 8, ahead: 0, behind: 1 }])
  })

  it('do not cross where one is ahead all the time, or only meets the other', () => {
    expect(crossings([lived([0, 1, 2]), lived([0, 2, 3])])).toEqual([])
    expect(crossings([lived([0, 1, 3, 3]), lived([0, 2, 3, 4])])).toEqual([])
  })
})
