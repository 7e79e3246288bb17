import { describe, expect, it } from 'vitest'

import { playerName } from '@/classroom/names'
import { addressForOthers } from '@/classroom/store'

const JOIN = { view: 'play', join: true } as const

describe('the address to play along', () => {
  it('is that of the page, for a player', () => {
    expect(addressForOthers(new URL('https://school.example/hamlet/?present=1#x'), null, JOIN)).toBe('https://school.example/hamlet/?view=play&join=1')
  })

  it('takes the network address in place of the machine’s own', () => {
    expect(addressForOthers(new URL('http://localhost:8765/'), '192.168.7.5', JOIN)).toBe('http://192.168.7.5:8765/?view=play&join=1')
    expect(addressForOthers(new URL('http://[::1]:8765/'), '192.168.7.5', JOIN)).toBe('http://192.168.7.5:8765/?view=play&join=1')
  })

  it('is none where others cannot reach it', () => {
    expect(addressForOthers(new URL('http://127.0.0.1:8765/'), null, JOIN)).toBeNull()
  })
})

describe('a player', () => {
  it('has a name in the reader’s language, also one of a later server', () => {
    expect(playerName({ animal: 'fox', colour: 'blue' })).toBe('Blue fox')
    expect(playerName({ animal: 'yak', colour: 'pink' })).toBe('pink yak')
  })
})
