import { defineStore } from 'pinia'
import { computed } from 'vue'

import { request, useResource } from '@/common/http'
import { type Model, byStage } from '@/models/details'
import type { ModelsResponse } from '@/protocol/messages'

/** The server's models with all it tells of them, from clumsy to able. */
export const useModels = defineStore('models', () => {
  const { data, status, refresh } = useResource((signal) => request<ModelsResponse>('api/models', { signal }))

  const details = computed(() => {
    const known = new Map((data.value?.details ?? []).map((model): [string, Model] => [model.name, model]))
    return byStage((data.value?.models ?? []).map((name) => known.get(name) ?? { name }))
  })
  const byName = computed(() => new Map(details.value.map((model) => [model.name, model])))

  /** Return the models with those of a `connected` message, which may be newer than the list. */
  function including(names: readonly string[]): Model[] {
    return byStage([...details.value, ...names.filter((name) => !byName.value.has(name)).map((name) => ({ name }))])
  }

  return { details, byName, status, refresh, including }
})
