// @vitest-environment happy-dom
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'

import { PolicyAsker } from '@/policy/asker'
import { metersOf } from '@/policy/limits'
import type { PolicyMap, WorldInfo } from '@/protocol/messages'
import { FrameFeed } from '@/session/feed'
import { frameOfInference } from '@/world/frame'
import { update } from './frames'

const MAP = { type: 'policy_map', width: 1, height: 1, actions: [0], values: [1] } as unknown as PolicyMap

beforeEach(() => { vi.useFakeTimers() })
afterEach(() => { vi.useRealTimers() })

function asking(): { asker: PolicyAsker; sent: object[] } {
  const sent: object[] = []
  return { asker: new PolicyAsker((command) => sent.push(command) > 0), sent }
}

describe('the policy map', () => {
  it('is asked for only while it is wanted', () => {
    const { asker, sent } = asking()
    asker.change()
    expect(sent).toEqual([])
    asker.want(true)
    expect(sent).toEqual([{ command: 'get_policy_map', meters: {} }])
    asker.want(false)
    asker.answered(MAP)
    expect(asker.map.value).toBeNull()
  })

  it('is asked for again when it has come, some time has passed and something has changed', () => {
    const { asker, sent } = asking()
    asker.want(true)
    for (let index = 0; index < 5; index++) asker.change()
    vi.advanceTimersByTime(1000)
    expect(sent).toHaveLength(1)
    asker.answered(MAP)
    expect(sent).toHaveLength(2)
    asker.answered(MAP)
    vi.advanceTimersByTime(1000)
    expect(sent).toHaveLength(2)
    asker.change()
    asker.answered(MAP)
    asker.change()
    expect(sent).toHaveLength(3)
    vi.advanceTimersByTime(250)
    expect(sent).toHaveLength(4)
  })

  it('supposes other meters at once, and goes on after a lost connection', () => {
    const { asker, sent } = asking()
    asker.want(true)
    asker.down()
    vi.advanceTimersByTime(250)
    asker.suppose({ money: -99 })
    expect(sent[1]).toEqual({ command: 'get_policy_map', meters: { money: -99 } })
  })
})

describe('the range of Q-values', () => {
  it('is that of the life so far, or of the recording', () => {
    const feed = new FrameFeed()
    feed.push(frameOfInference(update({ episode: 1, q_values: [1, 2, 3, 4, 5] })))
    feed.push(frameOfInference(update({ episode: 1, step: 2, q_values: [-1, 2, 3, 4, 4] })))
    expect(feed.valueRange.value).toEqual([-1, 5])
    feed.setRange([-9, 9])
    feed.push(frameOfInference(update({ episode: 7, q_values: [-20, 0, 0, 0, 20] })))
    expect(feed.valueRange.value).toEqual([-9, 9])
    feed.setRange(null)
    feed.push(frameOfInference(update({ episode: 2, q_values: [0, 0, 0, 0, 1] })))
    expect(feed.valueRange.value).toEqual([0, 1])
    feed.close()
  })
})

describe('the limits of meters', () => {
  it('are those of the world', () => {
    const world = { changes: { meters: { money: { minimum: -50 }, energy: { minimum: -5 } } } } as unknown as WorldInfo
    expect(metersOf(world).map(({ name, min, max }) => [name, min, max])).toEqual([
      ['energy', 0, 1], ['hygiene', 0, 1], ['satiation', 0, 1], ['money', -50, 100], ['mood', 0, 100], ['social', 0, 1],
    ])
  })
})
