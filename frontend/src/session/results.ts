import { useDebounceFn, useEventListener } from '@vueuse/core'
import { defineStore } from 'pinia'
import { shallowRef } from 'vue'

import { remembered } from '@/common/storage'
import type { StartKind } from '@/session/starts'
import type { FinishedEpisode } from '@/session/state'

/** One episode that was seen to its end. */
export interface EpisodeResult {
  steps: number
  total: number
  /** How it ended: the failure's name, or `max_steps`. */
  ending: string
  /** How it began; results of earlier versions of the page do not say. */
  start?: StartKind
  /** The digest of a world that is not the usual one. */
  world?: string
}

export interface Standing {
  player: string
  human: boolean
  episodes: number
  bestSteps: number
  meanSteps: number
  bestTotal: number
  meanTotal: number
}

/** The player that is the person at this browser; no model's file name can be this. */
export const YOU = '/you'
/** The untrained agent, which has no file. */
export const UNTRAINED = '/untrained'

const KEPT_EPISODES = 300
const KEPT_PLAYERS = 40
const SAVE_MS = 1000

type ResultsByPlayer = Record<string, EpisodeResult[]>

function parse(stored: unknown): ResultsByPlayer | undefined {
  const valid = typeof stored === 'object' && stored !== null && Object.values(stored).every(Array.isArray)
  return valid ? (stored as ResultsByPlayer) : undefined
}

/** Episodes seen in this browser, by who played them: the charts of Watch and the leaderboard of Play. */
export const useResults = defineStore('results', () => {
  const stored = remembered<ResultsByPlayer>('records', {}, parse, { shallow: true, flush: 'sync' })
  const results = shallowRef(stored.value)

  function save(): void {
    stored.value = results.value
  }
  const saveSoon = useDebounceFn(save, SAVE_MS, { maxWait: SAVE_MS })
  useEventListener(window, 'pagehide', save)

  function add({ model, by, end, start, world }: FinishedEpisode): void {
    const whole = end.reason === 'meter_depleted' || end.reason === 'max_steps'
    if (!whole || by === 'both') return
    const player = by === 'human' ? YOU : (model ?? UNTRAINED)
    const result = { steps: end.steps, total: end.total_reward, ending: end.failure_reason ?? end.reason, start, ...(world !== null && { world }) }
    // The latest player is last, so that the first model is the one to forget.
    const others = Object.entries(results.value).filter(([name]) => name !== player)
    const oldest = others.length >= KEPT_PLAYERS ? others.find(([name]) => name !== YOU)?.[0] : null
    results.value = {
      ...Object.fromEntries(others.filter(([name]) => name !== oldest)),
      [player]: [...of(player), result].slice(-KEPT_EPISODES),
    }
    void saveSoon()
  }

  function forget(): void {
    results.value = {}
    save()
  }

  function of(player: string): readonly EpisodeResult[] {
    return results.value[player] ?? []
  }

  /** Return everybody's standing over the lives in a world (null: the usual one) that began in this way, the best first. */
  function standings(start: StartKind, world: string | null = null): Standing[] {
    return Object.entries(results.value)
      .map(([player, episodes]) => [player, episodes.filter((one) => (one.start ?? 'usual') === start && (one.world ?? null) === world)] as const)
      .filter(([, episodes]) => episodes.length > 0)
      .map(([player, episodes]) => standing(player, episodes))
      .sort((a, b) => b.bestSteps - a.bestSteps || b.bestTotal - a.bestTotal)
  }

  return { add, of, forget, standings }
})

function standing(player: string, episodes: readonly EpisodeResult[]): Standing {
  const mean = (pick: (one: EpisodeResult) => number): number =>
    episodes.reduce((sum, one) => sum + pick(one), 0) / episodes.length
  return {
    player,
    human: player === YOU,
    episodes: episodes.length,
    bestSteps: Math.max(...episodes.map((one) => one.steps)),
    meanSteps: mean((one) => one.steps),
    bestTotal: Math.max(...episodes.map((one) => one.total)),
    meanTotal: mean((one) => one.total),
  }
}
