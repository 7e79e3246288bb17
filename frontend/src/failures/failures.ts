import { defineStore } from 'pinia'
import { computed, reactive } from 'vue'

import { request, useResource } from '@/common/http'
import type { FailuresResponse, FailureSummaryResponse } from '@/protocol/messages'

/** Why episodes of training ended, from the server's history. */
export const useFailures = defineStore('failures', () => {
  const filters = reactive({ agent: '', reason: '', min_episode: '', max_episode: '', limit: '20' })

  const { data, status, problem, refresh } = useResource(async (signal) => {
    const { limit, ...shared } = filters
    const query = Object.fromEntries(Object.entries(shared).filter(([, value]) => value.trim() !== ''))
    const [recent, groups] = await Promise.all([
      request<FailuresResponse>('api/failures', { query: { ...query, limit }, signal }),
      request<FailureSummaryResponse>('api/failure_summary', { query, signal }),
    ])
    return { ...recent, ...groups }
  })
  const failures = computed(() => data.value?.failures ?? [])
  const summary = computed(() => data.value?.summary ?? [])

  return { filters, failures, summary, status, problem, refresh }
})
