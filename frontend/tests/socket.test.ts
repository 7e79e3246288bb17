// @vitest-environment happy-dom
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'

import { serverUrl, socketUrl } from '@/common/http'
import { ReconnectingSocket, backoff, isRestarting } from '@/common/socket'
import { SocketDouble } from './socket-double'

interface Message { type: string }

beforeEach(() => {
  vi.useFakeTimers()
  SocketDouble.install()
})
afterEach(() => {
  vi.useRealTimers()
  vi.unstubAllGlobals()
})

function answering(status: number, code?: string, more: Record<string, string> = {}): void {
  const headers = { 'content-type': 'application/problem+json', ...more }
  const body = JSON.stringify({ code, detail: 'a sentence' })
  vi.stubGlobal('fetch', vi.fn(() => Promise.resolve(new Response(body, { status, headers }))))
}

describe('addresses', () => {
  it('are those of the server that served the page, wss under https', () => {
    expect(socketUrl('ws', 'http://class:8765/?view=train')).toBe('ws://class:8765/ws')
    expect(socketUrl('ws/training', 'https://example.org/hamlet/#x')).toBe('wss://example.org/hamlet/ws/training')
    expect(serverUrl('api/models', {}, 'http://class:8765/?a=1').href).toBe('http://class:8765/api/models')
  })
})

describe('backoff', () => {
  it('doubles, is bounded, and spreads a class over half of each wait', () => {
    expect([1, 2, 3, 4].map((attempt) => backoff(attempt, () => 1))).toEqual([500, 1000, 2000, 4000])
    expect(backoff(30, () => 1)).toBe(10_000)
    expect(backoff(1, () => 0)).toBe(250)
  })
})

describe('ReconnectingSocket', () => {
  it('stands with the first message and hands messages on', () => {
    const messages: Message[] = []
    const socket = new ReconnectingSocket<Message, object>('ws://x/ws', { message: (message) => messages.push(message) })
    expect(socket.state.status).toBe('connecting')
    expect(socket.send({ command: 'play' })).toBe(false)
    SocketDouble.newest.receive({ type: 'connected' })
    expect(socket.state.status).toBe('open')
    expect(messages).toEqual([{ type: 'connected' }])
    expect(socket.send({ command: 'play' })).toBe(true)
    expect(SocketDouble.newest.sent).toEqual([{ command: 'play' }])
    socket.close()
  })

  it('comes back after a lost server, with longer waits while it stays away', async () => {
    vi.stubGlobal('fetch', () => Promise.reject(new TypeError('refused')))
    const down = vi.fn()
    const socket = new ReconnectingSocket<Message, object>('ws://x/ws', { message: () => undefined, down })
    SocketDouble.newest.receive({ type: 'connected' })
    SocketDouble.newest.drop(1012)
    expect(down).toHaveBeenCalledOnce()
    expect(socket.state).toMatchObject({ status: 'waiting', wasOpen: true, closeCode: 1012, attempts: 1 })
    for (let attempt = 2; attempt < 6; attempt++) {
      await vi.advanceTimersByTimeAsync(socket.state.retryAt - Date.now())
      expect(socket.state.status).toBe('connecting')
      SocketDouble.newest.drop()
      await vi.advanceTimersByTimeAsync(0)
      expect(socket.state).toMatchObject({ status: 'waiting', attempts: attempt })
    }
    socket.retry()
    SocketDouble.newest.receive({ type: 'connected' })
    expect(socket.state).toMatchObject({ status: 'open', attempts: 0, closeCode: null })
    expect(down).toHaveBeenCalledOnce()
    socket.close()
  })

  it('tells a full server from one that is away', async () => {
    answering(503, 'server_full')
    const socket = new ReconnectingSocket<Message, object>('ws://x/ws', { message: () => undefined })
    SocketDouble.newest.drop()
    await vi.advanceTimersByTimeAsync(0)
    expect(fetch).toHaveBeenCalledWith(new URL(`http://x/ws?${new URLSearchParams({ origin: location.origin })}`), expect.anything())
    expect(socket.state).toMatchObject({ status: 'refused', refusal: { code: 'server_full', message: 'a sentence' } })
    expect(socket.state.retryAt - Date.now()).toBeGreaterThanOrEqual(4000)
    await vi.advanceTimersByTimeAsync(6000)
    expect(socket.state.status).toBe('connecting')
    socket.close()
  })

  it('waits as long as a server asks for that has no time for one more', async () => {
    answering(503, 'server_full', { 'retry-after': '10' })
    const socket = new ReconnectingSocket<Message, object>('ws://x/ws', { message: () => undefined })
    SocketDouble.newest.drop()
    await vi.advanceTimersByTimeAsync(0)
    expect(socket.state.status).toBe('refused')
    expect(socket.state.retryAt - Date.now()).toBeGreaterThanOrEqual(8000)
    socket.close()
  })

  it('waits for a server that is about to come, and says nothing of why it lets nobody in otherwise', async () => {
    answering(503, 'starting')
    const socket = new ReconnectingSocket<Message, object>('ws://x/ws', { message: () => undefined })
    SocketDouble.newest.drop()
    await vi.advanceTimersByTimeAsync(0)
    expect(socket.state.status).toBe('waiting')
    answering(426, 'invalid_request')
    await vi.advanceTimersByTimeAsync(socket.state.retryAt - Date.now())
    SocketDouble.newest.drop()
    await vi.advanceTimersByTimeAsync(0)
    expect(socket.state).toMatchObject({ status: 'refused', refusal: null })
    socket.close()
  })

  it('gives a place up that nobody used, until somebody is back', async () => {
    const down = vi.fn()
    const socket = new ReconnectingSocket<Message, object>('ws://x/ws', { message: () => undefined, down })
    SocketDouble.newest.receive({ type: 'connected' })
    SocketDouble.newest.drop(4408)
    expect(down).toHaveBeenCalledOnce()
    await vi.advanceTimersByTimeAsync(3_600_000)
    expect(socket.state.status).toBe('idle')
    expect(SocketDouble.all).toHaveLength(1)
    socket.retry()
    expect(socket.state.status).toBe('connecting')
    SocketDouble.newest.receive({ type: 'connected' })
    expect(socket.state).toMatchObject({ status: 'open', closeCode: null })
    socket.close()
  })

  it('does not take a server that restarts for a full one, unless it takes too long', async () => {
    answering(426)
    const socket = new ReconnectingSocket<Message, object>('ws://x/ws', { message: () => undefined })
    SocketDouble.newest.receive({ type: 'connected' })
    SocketDouble.newest.drop(1012)
    for (let attempt = 2; attempt <= 5; attempt++) {
      await vi.advanceTimersByTimeAsync(socket.state.retryAt - Date.now())
      SocketDouble.newest.drop()
      await vi.advanceTimersByTimeAsync(0)
      expect(socket.state).toMatchObject({ status: 'waiting', closeCode: 1012, attempts: attempt })
      expect(isRestarting(socket.state)).toBe(true)
    }
    await vi.advanceTimersByTimeAsync(socket.state.retryAt - Date.now())
    SocketDouble.newest.drop()
    await vi.advanceTimersByTimeAsync(0)
    expect(isRestarting(socket.state)).toBe(false)
    expect(socket.state.status).toBe('refused')
    socket.close()
  })

  it('stays closed once this side closed it', async () => {
    const socket = new ReconnectingSocket<Message, object>('ws://x/ws', { message: () => undefined })
    const other = SocketDouble.newest
    other.receive({ type: 'connected' })
    socket.close()
    other.drop(1000)
    await vi.advanceTimersByTimeAsync(60_000)
    expect(socket.state.status).toBe('closed')
    expect(SocketDouble.all).toHaveLength(1)
  })
})
