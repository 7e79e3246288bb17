import { defineStore } from 'pinia'
import { computed, shallowRef } from 'vue'

import { HttpProblem, getJson } from '@/common/http'
import { VIEWS, type ViewName } from '@/shell/route'

/** What the server says of itself at its own address. */
interface Service {
  version: string
  endpoints: Partial<Record<Mode, string>>
  training_active: boolean
}

export type Mode = 'inference' | 'training'

const MODES: Readonly<Record<ViewName, Mode>> = {
  watch: 'inference',
  compare: 'inference',
  play: 'inference',
  train: 'training',
  replays: 'inference',
  failures: 'training',
}

/** What this server offers; until it has answered, everything. */
export const useServer = defineStore('server', () => {
  const service = shallowRef<Service | null>(null)

  const views = computed(() => VIEWS.filter((view) => offers(view)))
  const trains = computed(() => service.value?.training_active ?? false)

  function offers(view: ViewName): boolean {
    return service.value === null || service.value.endpoints[MODES[view]] !== undefined
  }

  async function refresh(): Promise<void> {
    try {
      service.value = await getJson<Service>('.')
    } catch (error) {
      // The view's own connection says what is wrong, and what is known of the server stays known.
      if (!(error instanceof HttpProblem)) throw error
    }
  }

  return { service, views, trains, offers, refresh }
})
