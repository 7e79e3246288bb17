import { defineStore } from 'pinia'
import { computed, shallowRef } from 'vue'

import type { FinishedEpisode } from '@/session/session'
import { read, write } from '@/common/storage'

/** One episode that was seen to its end. */
export interface Lived {
  steps: number
  total: number
  /** How it ended: the failure's name, or `max_steps`. */
  ending: string
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

type Book = Record<string, Lived[]>

function isBook(value: unknown): value is Book {
  return typeof value === 'object' && value !== null && Object.values(value).every(Array.isArray)
}

/** Episodes seen in this browser, by who played them: the charts of Watch and the leaderboard of Play. */
export const useRecords = defineStore('records', () => {
  const book = shallowRef<Book>(read<Book>('records', {}, isBook))
  let saving: ReturnType<typeof setTimeout> | null = null

  function add(finished: FinishedEpisode): void {
    const { end, by } = finished
    const whole = end.reason === 'meter_depleted' || end.reason === 'max_steps'
    if (!whole || by === 'both') return
    const player = by === 'human' ? YOU : (finished.model ?? UNTRAINED)
    const lived = { steps: end.steps, total: end.total_reward, ending: end.failure_reason ?? end.reason }
    // The player that played last stands last, so that the first model is the one to forget.
    const others = Object.entries(book.value).filter(([name]) => name !== player)
    const oldest = others.length >= KEPT_PLAYERS ? others.find(([name]) => name !== YOU)?.[0] : null
    book.value = {
      ...Object.fromEntries(others.filter(([name]) => name !== oldest)),
      [player]: [...of(player), lived].slice(-KEPT_EPISODES),
    }
    saving ??= setTimeout(save, SAVE_MS)
  }

  function save(): void {
    if (saving !== null) clearTimeout(saving)
    saving = null
    write('records', book.value)
  }

  function forget(): void {
    book.value = {}
    save()
  }

  function of(player: string): readonly Lived[] {
    return book.value[player] ?? []
  }

  const standings = computed<Standing[]>(() =>
    Object.entries(book.value)
      .filter(([, lived]) => lived.length > 0)
      .map(([player, lived]) => standing(player, lived))
      .sort((a, b) => b.bestSteps - a.bestSteps || b.bestTotal - a.bestTotal),
  )

  window.addEventListener('pagehide', () => { if (saving !== null) save() })

  return { add, of, forget, standings }
})

function standing(player: string, lived: readonly Lived[]): Standing {
  const mean = (pick: (one: Lived) => number): number =>
    lived.reduce((sum, one) => sum + pick(one), 0) / lived.length
  return {
    player,
    human: player === YOU,
    episodes: lived.length,
    bestSteps: Math.max(...lived.map((one) => one.steps)),
    meanSteps: mean((one) => one.steps),
    bestTotal: Math.max(...lived.map((one) => one.total)),
    meanTotal: mean((one) => one.total),
  }
}
