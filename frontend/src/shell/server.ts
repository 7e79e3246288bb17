import { defineStore } from 'pinia'
import { computed } from 'vue'

import { request, useResource } from '@/common/http'
import type { ServiceResponse } from '@/protocol/messages'
import { VIEWS, type ViewName } from '@/shell/route'

type Mode = keyof ServiceResponse['endpoints']

const MODES: Readonly<Record<ViewName, Mode>> = {
  watch: 'inference',
  compare: 'inference',
  play: 'inference',
  train: 'training',
  runs: 'training',
  replays: 'inference',
  failures: 'training',
  editor: 'inference',
  lab: 'training',
}

/** What this server offers; until it has answered, everything. Where it cannot be reached, the view's connection says so. */
export const useServer = defineStore('server', () => {
  const { data: service, refresh } = useResource((signal) => request<ServiceResponse>('.', { signal }))

  /** The views that have a link at the top; the editor is opened from a world, the lab from the runs. */
  const views = computed(() => VIEWS.filter((view) => view !== 'editor' && view !== 'lab' && offers(view)))
  const isTraining = computed(() => service.value?.training_active ?? false)

  /** Take note of whether a run is on, from a view that is told at once. */
  function noteTraining(on: boolean): void {
    if (service.value !== null) service.value = { ...service.value, training_active: on }
  }

  function offers(view: ViewName): boolean {
    return service.value === null || MODES[view] in service.value.endpoints
  }

  return { views, isTraining, noteTraining, offers, refresh }
})
