import { defineStore } from 'pinia'
import { computed, shallowRef } from 'vue'

import { HttpProblem, getJson, postJson } from '@/common/http'

/** Who this browser is for the server, and what logging in is needed for. */
export interface Session {
  role: 'anyone' | 'viewer' | 'teacher'
  /** Whose token it is; null without a login. */
  name: string | null
  login: 'nobody' | 'teachers' | 'everyone'
  may_watch: boolean
  may_train: boolean
}

/** Logging in and out. The login itself is a cookie that no script can read. */
export const useAccess = defineStore('access', () => {
  const session = shallowRef<Session | null>(null)
  /** Whether the server was asked, and has answered or cannot be reached. */
  const asked = shallowRef(false)

  // Until the server has said otherwise: what it allows, it decides anyway.
  const mayWatch = computed(() => session.value?.may_watch ?? true)
  const mayTrain = computed(() => session.value?.may_train ?? true)
  const hasLogins = computed(() => session.value !== null && session.value.login !== 'nobody')
  const name = computed(() => session.value?.name ?? null)

  async function refresh(): Promise<void> {
    try {
      session.value = await getJson<Session>('api/session')
    } catch (error) {
      // The view's own connection says what is wrong, and what is known stays known.
      if (!(error instanceof HttpProblem)) throw error
    }
    asked.value = true
  }

  /** Raises `HttpProblem` where the secret is none. */
  async function login(secret: string): Promise<void> {
    session.value = await postJson<Session>('api/login', { body: { secret } })
  }

  async function logout(): Promise<void> {
    session.value = await postJson<Session>('api/logout', { body: {} })
  }

  return { session, asked, mayWatch, mayTrain, hasLogins, name, refresh, login, logout }
})
