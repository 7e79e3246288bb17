// @vitest-environment happy-dom
import { describe, expect, it } from 'vitest'

import { describeConnection } from '@/common/connection'
import type { ConnectionState } from '@/common/socket'

function state(change: Partial<ConnectionState>): ConnectionState {
  return { status: 'waiting', attempts: 1, retryAt: 0, wasOpen: true, closeCode: null, refusal: null, ...change }
}

describe('the message about a connection', () => {
  it.each([
    [1008, 'Too many commands'], [1009, 'A message was too large'], [1011, 'The session failed'],
    [1012, 'The server is restarting'], [1013, 'The connection is too slow'], [4401, 'Your login has ended'],
    [1006, 'The connection is lost'],
  ])('says why the server closed it with %d', (closeCode, title) => {
    expect(describeConnection(state({ closeCode }), 'This page').title).toBe(title)
  })

  it('no longer says that the server restarts after too many attempts', () => {
    expect(describeConnection(state({ closeCode: 1012, attempts: 9 }), 'This page').title).toBe('The connection is lost')
  })

  it('names a proxy where the server answers but handshakes fail, and the server\u2019s reason where it has one', () => {
    const blocked = describeConnection(state({ status: 'refused', wasOpen: false }), 'This page')
    expect(blocked.title).toBe('This page cannot connect')
    expect(blocked.text).toMatch(/Upgrade header/)
    const refusal = { code: 'forbidden_origin', message: 'Pages of this origin may not connect.' }
    expect(describeConnection(state({ status: 'refused', refusal }), 'Session 2')).toMatchObject({
      title: 'Session 2 cannot connect', text: 'Pages of this origin may not connect.',
    })
  })
})
