import { describe, expect, it } from 'vitest'

import { formatRoute, parseRoute } from '@/shell/route'

describe('the address', () => {
  it('is empty for what everyone sees first', () => {
    expect(formatRoute(parseRoute(''))).toBe('')
  })

  it('comes back the same', () => {
    const route = parseRoute('?view=compare&compare=a.pt&compare=b%26c.pt&speed=5&heat=0&think=0&model=x.pt')
    expect(route).toEqual({
      view: 'compare', model: 'x.pt', world: null, start: null, policy: false, recording: null, step: null, models: ['a.pt', 'b&c.pt'], speed: 5, heat: false, visits: 'all', think: false, lesson: null,
    })
    expect(parseRoute(formatRoute(route))).toEqual(route)
  })

  it('survives whatever someone typed', () => {
    expect(parseRoute('?view=nowhere&speed=fast&model=&compare=')).toEqual(parseRoute(''))
    expect(parseRoute('?speed=1000').speed).toBe(10)
    expect(parseRoute('?speed=-3').speed).toBe(1)
    expect(parseRoute('?' + 'compare=a&'.repeat(9)).models).toHaveLength(4)
  })
})
