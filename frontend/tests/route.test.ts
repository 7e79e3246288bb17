import { describe, expect, it } from 'vitest'

import { AS_ALL, formatOwn } from '@/compare/own'
import { formatRoute, parseRoute, unreadParts } from '@/shell/route'

describe('the address', () => {
  it('is empty for what everyone sees first', () => {
    expect(formatRoute(parseRoute(''))).toBe('')
  })

  it('comes back the same', () => {
    const route = parseRoute('?view=compare&compare=a.pt&compare=b%26c.pt&speed=5&heat=0&think=0&model=x.pt')
    expect(route).toMatchObject({
      view: 'compare', model: 'x.pt', world: null, start: null, policy: false, recording: null, step: null, models: ['a.pt', 'b&c.pt'], speed: 5, heat: false, visits: 'all', think: false, lesson: null, room: null,
    })
    expect(parseRoute(formatRoute(route))).toEqual(route)
  })

  it('holds what each compared world has for itself', () => {
    const own = [null, { world: 'poverty', agents: 2, models: [null, 'b.pt'] }]
    const route = parseRoute(`?view=compare&compare=a.pt&compare=b.pt&own=${encodeURIComponent(JSON.stringify(own))}`)
    expect(route.own).toEqual([AS_ALL, { world: 'poverty', agents: 2, contention: null, models: [null, 'b.pt'] }])
    expect(parseRoute(formatRoute(route))).toEqual(route)
    expect(formatRoute({ ...route, view: 'watch' })).not.toContain('own')
    for (const odd of ['[', '7', '{}', '[3, {"agents": 99, "world": 5, "models": [7]}]']) {
      expect(parseRoute(`?own=${odd}`).own.every((one) => formatOwn([one]) === null)).toBe(true)
    }
  })

  it('holds which runs are drawn, and how, in their view alone', () => {
    const route = parseRoute('?view=runs&run=a&run=b&run=a&figure=return&smooth=25&seeds=1')
    expect(route).toMatchObject({ runs: ['a', 'b'], figure: 'return', smooth: 25, seeds: true })
    expect(parseRoute(formatRoute(route))).toEqual(route)
    expect(formatRoute({ ...route, view: 'train' })).toBe('?view=train')
  })

  it.each([
    ['?agents=0', 'agents'], ['?agents=9', 'agents'], ['?agents=abc', 'agents'], ['?agents=2.5', 'agents'], ['?contention=x', 'contention'], ['?world=%7B', 'world'],
  ] as const)('of which nothing can be made, %s, is left out and told', (search, part) => {
    expect(parseRoute(search)[part]).toBeNull()
    expect(unreadParts(search).map((one) => one.part)).toEqual([part])
    expect(unreadParts('?agents=8&contention=0&world=%7B%7D')).toEqual([])
  })

  it('holds no company in Play, where a person lives alone', () => {
    const route = parseRoute('?view=play&agents=3&contention=1')
    expect(formatRoute(route)).toBe('?view=play')
    expect(formatRoute({ ...route, view: 'watch' })).toBe('?agents=3&contention=1')
  })

  it('holds the run whose recordings or failures are listed', () => {
    expect(formatRoute(parseRoute('?view=failures&of=r'))).toBe('?view=failures&of=r')
    expect(formatRoute(parseRoute('?view=watch&of=r'))).toBe('')
  })

  it('survives whatever someone typed', () => {
    expect(parseRoute('?view=nowhere&speed=fast&model=&compare=')).toEqual(parseRoute(''))
    expect(parseRoute('?speed=1000').speed).toBe(10)
    expect(parseRoute('?speed=-3').speed).toBe(1)
    expect(parseRoute('?' + 'compare=a&'.repeat(9)).models).toHaveLength(4)
    expect(parseRoute('?view=runs&figure=beauty&smooth=1e9&seeds=yes')).toMatchObject({ figure: 'survival', smooth: 10, seeds: false })
    expect(parseRoute('?' + Array.from({ length: 20 }, (_, run) => `run=${run}`).join('&')).runs).toHaveLength(8)
  })
})
