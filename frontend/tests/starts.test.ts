import { describe, expect, it } from 'vitest'

import { StartChoice, formatStart, parseStart } from '@/session/starts'

function choice(): { starts: StartChoice; sent: object[] } {
  const sent: object[] = []
  return { starts: new StartChoice((command) => sent.push(command) > 0), sent }
}

describe('a start', () => {
  it('is read from the address and written back', () => {
    for (const text of [null, 'random', '3,5', '0,31']) expect(formatStart(parseStart(text))).toBe(text)
    for (const text of ['', 'x', '1', '1,2,3', '-1,2', '999,1']) expect(parseStart(text)).toEqual({ kind: 'usual' })
  })

  it('is asked for with what was chosen alone', () => {
    const { starts, sent } = choice()
    starts.choose({ kind: 'random' })
    starts.choose({ kind: 'chosen', cell: [2, 3], meters: { energy: 0.5 } })
    starts.choose({ kind: 'usual' })
    expect(sent).toEqual([
      { command: 'set_start', random: true }, { command: 'set_start', cell: [2, 3], meters: { energy: 0.5 } },
      { command: 'set_start' },
    ])
  })

  it('is asked for again by a new connection, and follows the address', () => {
    const { starts, sent } = choice()
    starts.restore()
    starts.follow(null)
    expect(sent).toEqual([])
    starts.follow('4,4')
    starts.follow('4,4')
    starts.restore()
    expect(sent).toEqual([{ command: 'set_start', cell: [4, 4] }, { command: 'set_start', cell: [4, 4] }])
  })

  it('counts lives together that began in the same way', () => {
    const { starts } = choice()
    expect(starts.begun('usual')).toBe(true)
    expect(starts.begun('usual')).toBe(false)
    starts.choose({ kind: 'chosen', cell: [1, 1] })
    expect([starts.begun('chosen'), starts.begun('chosen')]).toEqual([true, false])
    starts.choose({ kind: 'chosen', cell: [1, 2] })
    expect(starts.begun('chosen')).toBe(true)
  })

  it('that was chosen is gone in another world, but not one that is on its way there', () => {
    const { starts } = choice()
    starts.choose({ kind: 'chosen', cell: [1, 1] })
    starts.moved()
    expect(starts.chosen.value.kind).toBe('chosen')
    starts.begun('chosen')
    starts.moved()
    expect(starts.chosen.value.kind).toBe('usual')
  })

  it('that is refused was not chosen', () => {
    const { starts } = choice()
    starts.choose({ kind: 'chosen', cell: [9, 9] })
    starts.refused()
    expect(starts.chosen.value).toEqual({ kind: 'usual' })
  })
})
