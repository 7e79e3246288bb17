import { defineStore } from 'pinia'
import { computed, reactive, shallowRef } from 'vue'

import { HttpProblem, getJson } from '@/common/http'
import type { StartTraining } from '@/protocol/messages'
import {
  type Entry,
  type ParameterField,
  type WireSchema,
  complaint,
  fieldsOf,
  initialEntry,
  sent,
} from '@/train/parameters'

/** What a lesson is set up with; the rest stands under "More". */
const FIRST = ['num_episodes', 'network_type', 'show_every', 'step_delay']

/** The form of a training run. It keeps what was typed while other views are open. */
export const useTrainForm = defineStore('trainform', () => {
  const fields = shallowRef<ParameterField[]>([])
  const problem = shallowRef<string | null>(null)
  const entries = reactive<Record<string, Entry>>({})

  const first = computed(() => fields.value.filter((field) => FIRST.includes(field.name)))
  const more = computed(() => fields.value.filter((field) => !FIRST.includes(field.name)))

  const complaints = computed(() => {
    const found: Record<string, string> = {}
    for (const field of fields.value) {
      const wrong = complaint(field, entries[field.name] ?? '')
      if (wrong !== null) found[field.name] = wrong
    }
    const batch = Number(entries.batch_size)
    const capacity = Number(entries.buffer_capacity)
    if (!found.batch_size && batch > capacity) found.batch_size = `At most the replay buffer, ${capacity}.`
    return found
  })
  const valid = computed(() => fields.value.length > 0 && Object.keys(complaints.value).length === 0)

  async function refresh(): Promise<void> {
    try {
      fields.value = fieldsOf(await getJson<WireSchema>('api/schema'))
      problem.value = null
    } catch (error) {
      if (!(error instanceof HttpProblem)) throw error
      problem.value = error.message
      return
    }
    for (const field of fields.value) entries[field.name] ??= initialEntry(field)
  }

  function reset(): void {
    for (const field of fields.value) entries[field.name] = initialEntry(field)
  }

  /** Only what differs from the server's defaults goes over the wire. */
  function parameters(): Omit<StartTraining, 'command' | 'type'> {
    const changed = fields.value
      .map((field) => [field, sent(field, entries[field.name] ?? '')] as const)
      .filter(([field, value]) => value !== field.initial)
    return Object.fromEntries(changed.map(([field, value]) => [field.name, value]))
  }

  return { fields, problem, entries, first, more, complaints, valid, refresh, reset, parameters }
})
