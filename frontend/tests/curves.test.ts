import { describe, expect, it } from 'vitest'

import type { StoredEpisode } from '@/protocol/messages'
import { configurationOf, curveOf, differing, overlay, overlayCsv } from '@/runs/curves'

function episode(number: number, length: number, evaluated: number | null = null): StoredEpisode {
  const evaluation = evaluated === null ? null : { mean_length: evaluated, mean_return: 0, episodes: 1 }
  return { episode: number, length, reward: -length, evaluation } as StoredEpisode
}

const WORDS = { episode: 'episode', lowest: (of: string) => `${of} low`, highest: (of: string) => `${of} high` }

describe('a curve', () => {
  it('is the mean of the last episodes, counted by their numbers', () => {
    const episodes = [episode(1, 10), episode(2, 20), episode(3, 60), episode(9, 40)]
    expect(curveOf(episodes, 'survival', 1).map(({ y }) => y)).toEqual([10, 20, 60, 40])
    expect(curveOf(episodes, 'survival', 2).map(({ y }) => y)).toEqual([10, 15, 40, 40])
    expect(curveOf(episodes, 'survival', 100).map(({ y }) => y)).toEqual([10, 15, 30, 32.5])
    expect(curveOf(episodes, 'return', 1)[0]).toEqual({ x: 1, y: -10 })
  })

  it('of evaluations has a point where there was one, and is not smoothed', () => {
    const episodes = [episode(1, 10), episode(2, 20, 100), episode(3, 60), episode(4, 40, 300)]
    expect(curveOf(episodes, 'evaluated', 50)).toEqual([{ x: 2, y: 100 }, { x: 4, y: 300 }])
    expect(curveOf(episodes, 'anywhere', 50)).toEqual([])
  })
})

describe('curves over each other', () => {
  const short = [{ x: 1, y: 0 }, { x: 3, y: 20 }]
  const long = [{ x: 2, y: 30 }, { x: 5, y: 60 }]

  it('share an axis, and end where they end', () => {
    const { xs, lines } = overlay([
      { label: 'a', hue: 0, curves: [{ run: 'a', curve: short }] },
      { label: 'b', hue: 1, curves: [{ run: 'b', curve: long }] },
    ])
    expect(xs).toEqual([1, 2, 3, 5])
    expect(lines.map(({ values }) => values)).toEqual([[0, 10, 20, null], [null, 30, 40, 60]])
    expect(lines.map(({ band }) => band)).toEqual([null, null])
  })

  it('of several seeds are their mean within their range', () => {
    const { lines: [line] } = overlay([{ label: 'm', hue: 0, curves: [{ run: 'a', curve: short }, { run: 'b', curve: long }] }])
    expect(line?.values).toEqual([0, 20, 30, 60])
    expect(line?.band).toEqual({ low: [0, 10, 20, 60], high: [0, 30, 40, 60] })
    expect(line?.runs).toEqual(['a', 'b'])
  })

  it('of nothing are nothing', () => {
    expect(overlay([])).toEqual({ xs: [], lines: [] })
  })

  it('become a table that no spreadsheet takes for formulas', () => {
    const told = overlay([
      { label: '=1+1, "quoted"', hue: 0, curves: [{ run: 'a', curve: short }] },
      { label: 'm', hue: 1, curves: [{ run: 'a', curve: short }, { run: 'b', curve: long }] },
    ])
    expect(overlayCsv(told, WORDS).split('\r\n')).toEqual([
      `episode,"'=1+1, ""quoted""",m,m low,m high`, '1,0,0,0,0', '2,10,20,10,30', '3,20,30,20,40', '5,,60,60,60', '',
    ])
  })
})

describe('runs', () => {
  const parameters = { seed: 1, gamma: 0.9, world: null, show_every: 5 }

  it('are seeds of one configuration where nothing else of their learning differs', () => {
    const one = configurationOf({ run_id: 'a', parameters })
    expect(configurationOf({ run_id: 'b', parameters: { show_every: 1, world: null, gamma: 0.9, seed: 2 } })).toBe(one)
    expect(configurationOf({ run_id: 'c', parameters: { ...parameters, gamma: 0.8 } })).not.toBe(one)
    expect(configurationOf({ run_id: 'd', parameters: { ...parameters, world: { width: 9 } } })).not.toBe(one)
    expect(configurationOf({ run_id: 'e', parameters: null })).toBe('e')
  })

  it('differ in parameters that have no column of their own', () => {
    const others = [{ parameters }, { parameters: { ...parameters, seed: 2, gamma: 0.8 } }, { parameters: null }]
    expect(differing(others)).toEqual(['gamma'])
    expect(differing([{ parameters }])).toEqual([])
  })
})
