import { defineStore } from 'pinia'
import { computed, reactive } from 'vue'

import { HttpProblem, request, useResource } from '@/common/http'
import type {
  Failure, FailureSeriesResponse, FailuresResponse, FailureSummaryResponse, ListedRecording, RecordingsResponse, RunsResponse,
} from '@/protocol/messages'
import { useRoute } from '@/shell/route'

/** Runs that can be chosen from the list, and columns of the chart. */
const MOST_RUNS = 50
const COLUMNS = 24

/** A recording that shows a failure: of that very episode, or of another one of the run that ended alike. */
export interface Shown { recording: string; episode: number; same: boolean }

/** Why episodes of training ended, from the server's history, latest first. */
export const useFailures = defineStore('failures', () => {
  const routes = useRoute()
  const filters = reactive({ agent: '', reason: '', min_episode: '', max_episode: '', limit: '20' })

  const { data, status, problem, refresh } = useResource(async (signal) => {
    const { limit, ...shared } = filters
    const run = routes.route.ofRun ?? ''
    const query = Object.fromEntries(Object.entries({ ...shared, run }).filter(([, value]) => value.trim() !== ''))
    const ofRun: Record<string, string> = run === '' ? {} : { run }
    const [recent, groups, series, runs, recordings] = await Promise.all([
      request<FailuresResponse>('api/failures', { query: { ...query, limit, order: 'time' }, signal }),
      request<FailureSummaryResponse>('api/failure_summary', { query, signal }),
      request<FailureSeriesResponse>('api/failure_series', { query: { ...ofRun, columns: String(COLUMNS) }, signal }),
      request<RunsResponse>('api/runs', { query: { limit: String(MOST_RUNS) }, signal }),
      recordingsOf(ofRun, signal),
    ])
    return { ...recent, ...groups, ...series, ...runs, recordings }
  })
  const failures = computed(() => data.value?.failures ?? [])
  const summary = computed(() => data.value?.summary ?? [])
  const columns = computed(() => data.value?.columns ?? [])
  const runs = computed(() => data.value?.runs ?? [])

  /** The recordings of training by run: by episode, and one for each way to end. */
  const recorded = computed(() => {
    const found = new Map<string, Shown>()
    for (const { recording, info } of data.value?.recordings ?? []) {
      if (!info?.run_id || info.ended === null) continue
      found.set(`${info.run_id} ${info.episode}`, { recording, episode: info.episode, same: true })
      const kind = `${info.run_id} ${info.failure_reason ?? ''}`
      if (!found.has(kind)) found.set(kind, { recording, episode: info.episode, same: false })
    }
    return found
  })

  /** Return what can be watched of a failure; null where nothing of its kind was recorded in its run. */
  function shownBy(failure: Failure): Shown | null {
    return recorded.value.get(`${failure.run_id} ${failure.episode}`) ?? recorded.value.get(`${failure.run_id} ${failure.reason}`) ?? null
  }

  return { filters, failures, summary, columns, runs, status, problem, refresh, shownBy }
})

/** Return the recordings of training, newest first; none where the server keeps none. */
async function recordingsOf(ofRun: Record<string, string>, signal: AbortSignal): Promise<ListedRecording[]> {
  try {
    const query = { ...ofRun, source: 'training', limit: '1000' }
    return (await request<RecordingsResponse>('api/recordings', { query, signal })).recordings
  } catch (error) {
    if (error instanceof HttpProblem && error.status === 404) return []
    throw error
  }
}
