import { defineStore } from 'pinia'
import { reactive, shallowRef } from 'vue'

import { HttpProblem, getJson } from '@/common/http'

export interface Failure {
  id: number
  timestamp: string | number
  episode: number
  agent_id: string
  reason: string
}

export interface FailureGroup {
  agent_id: string
  reason: string
  count: number
  last_episode: number
  last_timestamp: string | number
}

export interface FailureFilters {
  agent: string
  reason: string
  min_episode: string
  max_episode: string
  limit: string
}

export type FailureStatus = 'loading' | 'ready' | 'absent' | 'failed'

/** Why episodes of training ended, as the server remembers them. */
export const useFailures = defineStore('failures', () => {
  const filters = reactive<FailureFilters>({ agent: '', reason: '', min_episode: '', max_episode: '', limit: '20' })
  const failures = shallowRef<Failure[]>([])
  const summary = shallowRef<FailureGroup[]>([])
  const status = shallowRef<FailureStatus>('loading')
  const problem = shallowRef('')
  let asking: AbortController | null = null

  /** Ask anew; an answer to an earlier question is dropped. */
  async function refresh(): Promise<void> {
    asking?.abort()
    const { signal } = (asking = new AbortController())
    const { limit, ...shared } = filters
    const query = Object.fromEntries(Object.entries(shared).filter(([, value]) => value.trim() !== ''))
    try {
      const [recent, groups] = await Promise.all([
        getJson<{ failures: Failure[] }>('api/failures', limit ? { ...query, limit } : query, signal),
        getJson<{ summary: FailureGroup[] }>('api/failure_summary', query, signal),
      ])
      failures.value = recent.failures
      summary.value = groups.summary
      status.value = 'ready'
    } catch (error) {
      if (signal.aborted) return
      if (!(error instanceof HttpProblem)) throw error
      status.value = error.status === 404 ? 'absent' : 'failed'
      problem.value = error.message
    }
  }

  return { filters, failures, summary, status, problem, refresh }
})
