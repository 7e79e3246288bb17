import { defineStore } from 'pinia'
import { computed, shallowRef } from 'vue'

import { HttpProblem, getJson } from '@/common/http'
import { type ModelDetails, byStage } from '@/models/details'

interface ModelList {
  models: string[]
  details?: ModelDetails[]
}

/** The server's models with all it tells of them, from clumsy to able. */
export const useModels = defineStore('models', () => {
  const details = shallowRef<ModelDetails[]>([])
  const problem = shallowRef<string | null>(null)
  const loaded = shallowRef(false)

  async function refresh(): Promise<void> {
    try {
      const list = await getJson<ModelList>('api/models')
      const known = new Map((list.details ?? []).map((model) => [model.name, model]))
      details.value = byStage(list.models.map((name) => known.get(name) ?? { name }))
      problem.value = null
      loaded.value = true
    } catch (error) {
      if (!(error instanceof HttpProblem)) throw error
      problem.value = error.message
    }
  }

  /** Those of a `connected` message too, which may be newer than the list. */
  function including(names: readonly string[]): ModelDetails[] {
    const known = new Set(details.value.map((model) => model.name))
    return byStage([...details.value, ...names.filter((name) => !known.has(name)).map((name) => ({ name }))])
  }

  const byName = computed(() => new Map(details.value.map((model) => [model.name, model])))

  return { details, byName, problem, loaded, refresh, including }
})
