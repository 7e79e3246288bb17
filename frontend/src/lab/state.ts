import { computed, shallowRef, watch } from 'vue'

import { remembered } from '@/common/storage'
import type { Config } from '@/editor/config'
import { type Change, CHANGES, WEIGHTS, type WeightName, WEIGHT_NAMES, weightOf, worldWith } from '@/lab/rewards'
import type { RunSummary } from '@/protocol/messages'
import { useRuns } from '@/runs/store'
import { useRoute } from '@/shell/route'
import { useTrainingRun } from '@/train/use'
import { useWorlds } from '@/worlds/store'
import type { WorldSpec } from '@/worlds/spec'
import { n, t } from '@/language/text'

/** Both runs are made alike but for the reward. */
const RECIPE = { num_episodes: 100, seed: 1, show: 'showcase' } as const

export interface Guess { weight: WeightName; value: number; survival: Change | null; total: Change | null }

const FIRST: Guess = { weight: 'near', value: WEIGHTS.near.tempting, survival: null, total: null }

function parseGuess(stored: unknown): Guess | undefined {
  const { weight, value, survival, total } = (stored ?? {}) as Partial<Guess>
  const known = (change: unknown): Change | null => CHANGES.find((one) => one === change) ?? null
  if (!WEIGHT_NAMES.some((name) => name === weight) || typeof value !== 'number') return undefined
  return { weight: weight as WeightName, value, survival: known(survival), total: known(total) }
}

export type Side = 'usual' | 'ours'

/** The lab's experiment: the changed weight and the guess, which this browser remembers, and the two runs, which the address holds. */
export function useLab() {
  const routes = useRoute()
  const worlds = useWorlds()
  const runs = useRuns()
  const training = useTrainingRun()
  const guess = remembered<Guess>('lab', FIRST, parseGuess)
  const usual = shallowRef<Config | null>(null)
  const problem = shallowRef<string | null>(null)
  /** The run that was asked for and has not begun. */
  const asked = shallowRef<Side | null>(null)

  const world = computed<WorldSpec>(() => worldWith(
    guess.value.weight, guess.value.value, t('lab.worldTitle', { weight: t(`lab.weight.${guess.value.weight}`), value: n(guess.value.value) }),
  ))
  const before = computed(() => (usual.value === null ? null : weightOf(usual.value, guess.value.weight)))

  function sideOf(run: Pick<RunSummary, 'parameters'>): Side {
    return run.parameters?.world ? 'ours' : 'usual'
  }

  const chosen = computed(() => {
    const found: Record<Side, RunSummary | null> = { usual: null, ours: null }
    for (const run of routes.route.runs.map(runs.find)) if (run !== undefined) found[sideOf(run)] = run
    return found
  })

  function choose(side: Side, runId: string | null): void {
    const other = chosen.value[side === 'usual' ? 'ours' : 'usual']?.run_id
    routes.go({ runs: [runId, other].filter((one): one is string => typeof one === 'string') })
  }

  /** The runs that one side can be: those that have learnt something, and the chosen one. */
  function candidates(side: Side): RunSummary[] {
    const found = runs.runs.filter((run) => sideOf(run) === side && (run.episodes > 1 || run.run_id === chosen.value[side]?.run_id))
    const one = chosen.value[side]
    return one === null || found.some(({ run_id }) => run_id === one.run_id) ? found : [one, ...found]
  }

  function train(side: Side): void {
    asked.value = side
    training.start({ ...RECIPE, world: side === 'ours' ? (world.value as Record<string, unknown>) : 'usual' })
  }

  const running = computed(() => {
    const { status } = training.state
    return status !== null && !['idle', 'failed'].includes(status.state) ? status : null
  })
  watch(() => training.state.error, (error) => { if (error !== null) asked.value = null })
  // The run that was asked for is there once its first episode is in the history; it is over when none runs.
  watch(() => [running.value?.run_id ?? null, training.episodes.value.length > 0] as const, async ([now, learns], [last]) => {
    const over = now === null && last !== null
    if (!over && !(learns && now !== null && asked.value !== null)) return
    const runId = now ?? last
    if (runId === null) return
    runs.curves.delete(runId)
    await runs.refresh()
    await runs.want(runId)
    const run = runs.find(runId)
    if (asked.value !== null && run !== undefined) choose(asked.value, runId)
    asked.value = null
  })
  // The curve of the run that is on grows with each episode.
  watch(training.episodes, (episodes) => {
    const now = running.value?.run_id
    if (now && routes.route.runs.includes(now)) runs.grow(now, episodes)
  })
  watch(() => routes.route.runs, (wanted) => { for (const run of wanted) void runs.want(run) }, { immediate: true })

  async function begin(): Promise<void> {
    await runs.refresh()
    try {
      usual.value = (await worlds.get('usual')).world.config as unknown as Config
    } catch (error) {
      problem.value = error instanceof Error ? error.message : null
    }
    if (chosen.value.usual !== null) return
    const alike = candidates('usual').find((run) => run.state === 'complete' && run.seed === RECIPE.seed && run.parameters?.num_episodes === RECIPE.num_episodes)
    if (alike !== undefined) choose('usual', alike.run_id)
  }

  return { guess, world, before, usual, chosen, candidates, choose, train, training, running, asked, problem, begin, recipe: RECIPE }
}
