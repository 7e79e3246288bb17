import { describe, expect, it } from 'vitest'

import { DrawLoop, nextTurn } from '@/world/loop'
import { FrameFeed } from '@/session/feed'
import { frameOfInference, sameGround } from '@/world/frame'
import { update } from './frames'

function screen(): { loop: DrawLoop; refresh: (now: number) => boolean } {
  let waiting: FrameRequestCallback | null = null
  const request = (callback: FrameRequestCallback): number => { waiting = callback; return 1 }
  // What is due later is drawn at one of the next refreshes, whose times the tests choose.
  const loop = new DrawLoop(request, () => { waiting = null }, (callback) => { callback(); return 1 }, () => undefined)
  return {
    loop,
    refresh(now) {
      const callback = waiting
      waiting = null
      callback?.(now)
      return waiting !== null
    },
  }
}

describe('FrameFeed', () => {
  it('publishes the newest of many frames, a few times a second', () => {
    const { loop, refresh } = screen()
    const feed = new FrameFeed(loop)
    const seen = new Set<number>()
    const pictured = new Set<number>()
    let step = 0
    for (let now = 1000; now < 2000; now += 5) {
      step += 1
      feed.push(frameOfInference(update({ step })), now)
      if (now % 15 === 0) refresh(now)
      seen.add(feed.snapshot.value?.step ?? 0)
      pictured.add(feed.pictured.value?.step ?? 0)
    }
    expect(feed.received).toBe(200)
    expect(feed.frame?.step).toBe(200)
    expect(seen.size).toBeLessThanOrEqual(12)
    expect(pictured.size).toBeLessThanOrEqual(4)
    for (let now = 2000; refresh(now); now += 16);
    expect(feed.snapshot.value?.step).toBe(200)
    expect(feed.pictured.value?.step).toBe(200)
  })

  it('draws one of several worlds once a turn, at whichever refresh the turn comes', () => {
    const [refreshMs, spanMs] = [1000 / 60, 2000]
    let waiting: FrameRequestCallback | null = null
    let timer: { callback: () => void; at: number } | null = null
    let now = 1000
    const loop = new DrawLoop(
      (callback) => { waiting = callback; return 1 }, () => { waiting = null },
      (callback, wait) => { timer = { callback, at: now + wait }; return 1 }, () => { timer = null },
    )
    const feed = new FrameFeed(loop)
    feed.calm()
    let drawn = 0
    loop.add(() => { drawn += 1; return Infinity })
    // Between two turns: the timer's refresh comes before its turn begins.
    let refreshAt = now + 8
    for (let step = 1; now < 1000 + spanMs; step++, now += 2.5) {
      feed.push(frameOfInference(update({ step })), now)
      const due = timer as { callback: () => void; at: number } | null
      if (due !== null && due.at <= now) due.callback()
      if (now < refreshAt) continue
      refreshAt += refreshMs
      const callback = waiting as FrameRequestCallback | null
      waiting = null
      callback?.(now)
    }
    // Twenty-five a second, with which text and pictures have their turns, and the first one.
    expect(drawn).toBeLessThanOrEqual(1 + 25 * (spanMs / 1000) + 1)
    expect(drawn).toBeGreaterThan(45)
    expect(nextTurn(1000, 200)).toBe(1200)
  })

  it('keeps the ground while the places stay', () => {
    const feed = new FrameFeed(screen().loop)
    feed.push(frameOfInference(update()), 0)
    const ground = feed.ground.value
    feed.push(frameOfInference(update({ step: 2, x: 5 })), 100)
    expect(feed.ground.value).toBe(ground)
    const other = update({ step: 3 })
    other.grid.affordances = [{ type: 'Bed', x: 2, y: 2, qualifier: '' }]
    feed.push(frameOfInference(other), 200)
    expect(feed.ground.value?.places).toHaveLength(1)
  })

  it('moves each of several agents by itself, and forgets one that is gone', () => {
    const feed = new FrameFeed(screen().loop)
    const two = update()
    two.grid.agents.push({ id: 'agent_1', x: 1, y: 1, color: '#b00020', last_action: 'up' })
    feed.push(frameOfInference(two), 0)
    expect([...feed.motions.keys()]).toEqual(['agent_0', 'agent_1'])
    expect(feed.motions.get('agent_1')?.at(0)).toEqual({ x: 1, y: 1 })
    const alone = update({ step: 2 })
    alone.grid.width = 9
    feed.push(frameOfInference(alone), 100)
    expect([...feed.motions.keys()]).toEqual(['agent_0'])
  })

  it('begins a new episode without walking across the world', () => {
    const feed = new FrameFeed(screen().loop)
    feed.push(frameOfInference(update({ x: 4, y: 4 })), 0)
    feed.push(frameOfInference(update({ episode: 2, step: 0, x: 4, y: 3 })), 100)
    expect(feed.motions.get('agent_0')?.at(100)).toEqual({ x: 4, y: 3 })
  })

  it('adds what a view tells of the frame on screen without moving anything', () => {
    const feed = new FrameFeed(screen().loop)
    feed.push(frameOfInference(update()), 0)
    feed.amend({ qValues: [1, 2, 3, 4, 5], attention: null, options: null })
    expect(feed.frame).toMatchObject({ qValues: [1, 2, 3, 4, 5], ahead: true })
    expect(feed.received).toBe(1)
  })
})

describe('sameGround', () => {
  it('sees a place that moved', () => {
    const one = frameOfInference(update())
    const other = { ...one, affordances: one.affordances.map((place) => ({ ...place, x: place.x - 1 })) }
    expect(sameGround(one, one)).toBe(true)
    expect(sameGround(one, other)).toBe(false)
  })
})
