import { defineStore } from 'pinia'
import { computed, reactive, watch } from 'vue'

import { request, useResource } from '@/common/http'
import type { StartTraining } from '@/protocol/messages'
import { type Entry, type WireSchema, errorOf, fieldsOf, initialEntry, wireValue } from '@/train/parameters'

/** The parameters that a lesson needs; the rest is under "More parameters". */
const FIRST = ['num_episodes', 'network_type', 'show_every', 'step_delay']

/** The form of a training run. It keeps what was typed while other views are open. */
export const useTrainForm = defineStore('trainform', () => {
  const { data: fields, problem, refresh } = useResource(async (signal) =>
    fieldsOf(await request<WireSchema>('api/schema', { signal })))
  const entries = reactive<Record<string, Entry>>({})
  watch(fields, () => { for (const field of fields.value ?? []) entries[field.name] ??= initialEntry(field) }, { flush: 'sync' })

  const first = computed(() => (fields.value ?? []).filter((field) => FIRST.includes(field.name)))
  const more = computed(() => (fields.value ?? []).filter((field) => !FIRST.includes(field.name)))

  const errors = computed(() => {
    const found: Record<string, string> = {}
    for (const field of fields.value ?? []) {
      const error = errorOf(field, entries[field.name] ?? '')
      if (error !== null) found[field.name] = error
    }
    const batch = Number(entries.batch_size)
    const capacity = Number(entries.buffer_capacity)
    if (!found.batch_size && batch > capacity) found.batch_size = `At most the replay buffer, ${capacity}.`
    return found
  })
  const valid = computed(() => fields.value !== null && Object.keys(errors.value).length === 0)

  function reset(): void {
    for (const field of fields.value ?? []) entries[field.name] = initialEntry(field)
  }

  /** Return the parameters that differ from the server's defaults. */
  function parameters(): Omit<StartTraining, 'command' | 'type'> {
    const changed = (fields.value ?? [])
      .map((field) => [field, wireValue(field, entries[field.name] ?? '')] as const)
      .filter(([field, value]) => value !== field.initial)
    return Object.fromEntries(changed.map(([field, value]) => [field.name, value]))
  }

  return { problem, entries, first, more, errors, valid, refresh, reset, parameters }
})
