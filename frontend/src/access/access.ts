import { defineStore } from 'pinia'
import { computed } from 'vue'

import { request, useResource } from '@/common/http'
import type { SessionResponse } from '@/protocol/messages'

/** Log in and out. The login itself is a cookie that no script can read. */
export const useAccess = defineStore('access', () => {
  const { data: session, status, refresh } = useResource((signal) => request<SessionResponse>('api/session', { signal }))
  /** Whether the server has answered, or cannot be reached; the view's connection then says what is wrong. */
  const asked = computed(() => status.value !== 'loading')

  // Allowed until the server says otherwise: it checks everything itself.
  const mayWatch = computed(() => session.value?.may_watch ?? true)
  const mayTrain = computed(() => session.value?.may_train ?? true)
  const hasLogins = computed(() => session.value !== null && session.value.login !== 'nobody')
  const name = computed(() => session.value?.name ?? null)
  /** As whom the server knows this browser; null until it has said so. */
  const who = computed(() => (session.value === null ? null : `${session.value.role} ${session.value.name ?? ''}`))

  /** Log in with a class code or a token. Raises `HttpProblem` where it is not valid. */
  async function login(secret: string): Promise<void> {
    session.value = await request<SessionResponse>('api/login', { method: 'POST', body: { secret } })
  }

  async function logout(): Promise<void> {
    session.value = await request<SessionResponse>('api/logout', { method: 'POST', body: {} })
  }

  return { asked, mayWatch, mayTrain, hasLogins, name, who, refresh, login, logout }
})
