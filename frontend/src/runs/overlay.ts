import { type ComputedRef, computed, watch } from 'vue'

import { useModels } from '@/models/store'
import { type LineOf, type Overlay, configurationOf, curveOf, overlay as overlayOf } from '@/runs/curves'
import { FIGURES } from '@/runs/figures'
import { runName } from '@/runs/labels'
import { useRuns } from '@/runs/store'
import { useRoute } from '@/shell/route'
import { t } from '@/language/text'
import type { RunSummary } from '@/protocol/messages'

/** The curves of the runs in the address, over each other, and the colour of each run. */
export function useOverlay(): { overlay: ComputedRef<Overlay>; hues: ComputedRef<Map<string, number>>; loading: ComputedRef<boolean> } {
  const { route } = useRoute()
  const store = useRuns()
  const models = useModels()

  watch(() => route.runs, (runs) => { for (const run of runs) void store.want(run) }, { immediate: true })

  function nameOf(run: RunSummary): string {
    const name = runName(run, models.byName.get(run.model ?? '')?.given_name)
    return run.seed === null ? name : t('runs.withSeed', { name, seed: String(run.seed) })
  }

  /** The runs by line: each its own, or the seeds of one configuration together. */
  const groups = computed(() => {
    const byKey = new Map<string, RunSummary[]>()
    for (const runId of route.runs) {
      const run = store.find(runId)
      if (run === undefined) continue
      const key = route.seeds ? configurationOf(run) : runId
      byKey.set(key, [...(byKey.get(key) ?? []), run])
    }
    return [...byKey.values()]
  })
  const hues = computed(() => new Map(groups.value.flatMap((runs, hue) => runs.map(({ run_id }) => [run_id, hue] as const))))
  const lines = computed<LineOf[]>(() => groups.value.flatMap((runs, hue) => {
    const curves = runs.flatMap(({ run_id: run }) => {
      const curve = curveOf(store.curves.get(run)?.episodes ?? [], route.figure, FIGURES[route.figure].smooth ? route.smooth : 1)
      return curve.length === 0 ? [] : [{ run, curve }]
    })
    const [first] = runs
    if (first === undefined || curves.length === 0) return []
    const label = runs.length === 1 ? nameOf(first) : t('runs.meanOf', {
      count: runs.length, name: runName(first, models.byName.get(first.model ?? '')?.given_name), seeds: runs.map(({ seed }) => String(seed)).join(', '),
    })
    return [{ label, hue, curves }]
  }))
  const overlay = computed(() => overlayOf(lines.value))
  const loading = computed(() => route.runs.some((run) => store.curves.get(run)?.status === 'loading'))

  return { overlay, hues, loading }
}
