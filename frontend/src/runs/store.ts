import { defineStore } from 'pinia'
import { computed, reactive, shallowReactive } from 'vue'

import { HttpProblem, request, useResource } from '@/common/http'
import type { EpisodeComplete, EpisodesResponse, RunDetails, RunSummary, RunsResponse, StoredEpisode } from '@/protocol/messages'

const PAGE = 30
/** Points of a curve; a longer run is thinned by the server, but for its evaluations. */
const POINTS = 1000

export interface Curve {
  status: 'loading' | 'ready' | 'failed'
  episodes: readonly StoredEpisode[]
}

/** The runs of the server's history, newest first, loaded page by page, and the curves of those that were asked for. */
export const useRuns = defineStore('runs', () => {
  const filters = reactive({ state: '', network_type: '' })
  let before: string | null = null

  const { data, status, problem, refresh: load } = useResource(async (signal): Promise<RunsResponse> => {
    const shown = before === null ? [] : runs.value
    const chosen = Object.fromEntries(Object.entries(filters).filter(([, value]) => value !== ''))
    const query = { ...chosen, limit: String(PAGE), ...(before !== null && { before }) }
    const page = await request<RunsResponse>('api/runs', { query, signal })
    return { ...page, runs: [...shown, ...page.runs] }
  })
  const runs = computed<RunSummary[]>(() => data.value?.runs ?? [])
  const hasMore = computed(() => (data.value?.next ?? null) !== null)
  /** Runs that the address names and no page has brought yet. */
  const others = shallowReactive(new Map<string, RunDetails>())
  const curves = shallowReactive(new Map<string, Curve>())

  async function refresh(): Promise<void> {
    before = null
    await load()
    // A run that is on has grown.
    for (const { run_id, state } of runs.value) if (state === 'running') curves.delete(run_id)
  }

  async function more(): Promise<void> {
    before = runs.value.at(-1)?.run_id ?? null
    await load()
  }

  function find(runId: string): RunSummary | undefined {
    return runs.value.find(({ run_id }) => run_id === runId) ?? others.get(runId)
  }

  /** Load a run's curve unless it is there; a run that is unknown gets a failed one. */
  async function want(runId: string): Promise<void> {
    if (curves.has(runId)) return
    curves.set(runId, { status: 'loading', episodes: [] })
    try {
      const known = find(runId)
      const run = known ?? await details(runId)
      if (known === undefined) others.set(runId, run as RunDetails)
      curves.set(runId, { status: 'ready', episodes: await episodesOf(run) })
    } catch (error) {
      if (!(error instanceof HttpProblem)) throw error
      curves.set(runId, { status: 'failed', episodes: [] })
    }
  }

  /** Draw the run that is on as far as it has come. */
  function grow(runId: string, episodes: readonly EpisodeComplete[]): void {
    const stored = episodes.map((one) => ({ ...one, ended: '', evaluation: one.evaluation ?? null, evaluation_random: one.evaluation_random ?? null }))
    curves.set(runId, { status: 'ready', episodes: stored })
  }

  async function details(runId: string): Promise<RunDetails> {
    return request<RunDetails>(`api/runs/${encodeURIComponent(runId)}`)
  }

  return { filters, runs, hasMore, curves, status, problem, refresh, more, find, want, grow, details }
})

async function episodesOf(run: Pick<RunSummary, 'run_id' | 'episodes'>): Promise<StoredEpisode[]> {
  const every = String(Math.max(1, Math.ceil(run.episodes / POINTS)))
  const found: StoredEpisode[] = []
  let after: number | null = 0
  while (after !== null) {
    const query = { every, limit: String(POINTS), after: String(after) }
    const page: EpisodesResponse = await request<EpisodesResponse>(`api/runs/${encodeURIComponent(run.run_id)}/episodes`, { query })
    found.push(...page.episodes)
    after = page.next === null ? null : (found.at(-1)?.episode ?? null)
  }
  return found
}
