import { defineStore } from 'pinia'
import { computed } from 'vue'

import { request, useResource } from '@/common/http'
import { type Model, byStage, nameOf } from '@/models/details'
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

  /** Return a model's name as people read it, from its file's name. */
  function nameFor(file: string): string {
    return nameOf(byName.value.get(file) ?? { name: file })
  }

  /** Give a run's model a name for people, or take it away with null. Raises `HttpProblem`. */
  async function giveName(file: string, given: string | null): Promise<void> {
    await request(`api/models/${encodeURIComponent(file)}/given_name`, { method: 'PUT', body: { given_name: given } })
    await refresh()
  }

  return { details, byName, status, refresh, including, nameFor, giveName }
})
