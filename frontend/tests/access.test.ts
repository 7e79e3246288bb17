// @vitest-environment happy-dom
import { createPinia, setActivePinia } from 'pinia'
import { beforeEach, afterEach, describe, expect, it, vi } from 'vitest'

import { HttpProblem } from '@/common/http'
import type { SessionResponse } from '@/protocol/messages'
import { useAccess } from '@/access/access'

const STUDENT: SessionResponse = { role: 'viewer', name: '3b', login: 'everyone', may_watch: true, may_train: false }

function answering(status: number, body: object, headers: Record<string, string> = {}): void {
  const all = { 'content-type': 'application/json', ...headers }
  vi.stubGlobal('fetch', vi.fn(() => Promise.resolve(new Response(JSON.stringify(body), { status, headers: all }))))
}

beforeEach(() => { setActivePinia(createPinia()) })
afterEach(() => { vi.unstubAllGlobals() })

describe('access', () => {
  it('allows everything until the server has answered, and while it cannot be reached', async () => {
    vi.stubGlobal('fetch', () => Promise.reject(new TypeError('refused')))
    const access = useAccess()
    expect([access.asked, access.mayWatch, access.mayTrain]).toEqual([false, true, true])
    await access.refresh()
    expect([access.asked, access.mayWatch, access.hasLogins]).toEqual([true, true, false])
  })

  it('knows the name after a login, and keeps nothing of the secret', async () => {
    answering(200, STUDENT)
    const access = useAccess()
    await access.login('k7mq-x2ra')
    expect([access.name, access.mayWatch, access.mayTrain, access.hasLogins]).toEqual(['3b', true, false, true])
    const [url, request] = vi.mocked(fetch).mock.calls[0] as [URL, RequestInit]
    expect(url.search).toBe('')
    expect(request).toMatchObject({ method: 'POST', body: '{"secret":"k7mq-x2ra"}' })
    expect(JSON.stringify({ ...localStorage })).not.toContain('k7mq')
  })

  it('reports why a login failed, and when to try again', async () => {
    answering(429, { code: 'rate_limited', detail: 'wait' }, { 'retry-after': '6' })
    const problem = await useAccess().login('x').catch((error: unknown) => error)
    expect(problem).toBeInstanceOf(HttpProblem)
    expect(problem).toMatchObject({ status: 429, code: 'rate_limited', retryAfter: 6 })
  })
})
