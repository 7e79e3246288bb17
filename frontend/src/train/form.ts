import { defineStore } from 'pinia'
import { computed, reactive, ref, watch } from 'vue'

import { parseNumber, typed } from '@/language/numbers'
import { t } from '@/language/text'
import { request, useResource } from '@/common/http'
import type { StartSweep, StartTraining } from '@/protocol/messages'
import { type Entry, type ParameterField, type WireSchema, errorOf, fieldsOf, initialEntry, wireValue } from '@/train/parameters'

/** The parameters that a lesson needs; the rest is under "More parameters". */
const FIRST = ['num_episodes', 'world', 'network_type']

/**
 * What the page begins with where that is not the server's default: learning waits for no screen, and of the shown
 * episodes, one in four, each begins at the usual start, so that a class can compare them.
 */
const SUGGESTED: Readonly<Record<string, string | number>> = { show: 'showcase', show_every: 4, step_delay: 0.05 }

type SettingValue = NonNullable<StartSweep['settings']>[string][number]

function firstEntry(field: ParameterField): Entry {
  const suggested = SUGGESTED[field.name]
  return typeof suggested === 'number' ? typed(suggested) : suggested ?? initialEntry(field)
}

/** Return the field for the name of the model's file, which is no parameter of the run. */
export function modelName(): ParameterField {
  return {
    name: 'model', label: t('train.parameter.model.label'), help: t('train.parameter.model.help'),
    kind: 'text', min: null, max: null, choices: [], optional: true, initial: null,
  }
}

/** More seeds than this a class does not wait for. */
const MOST_SEEDS = 16

/** What a sweep leaves out: how a run is shown, what it goes on from, and what its trials differ in. */
const NOT_OF_SWEEPS: ReadonlySet<string> = new Set(['seed', 'world', 'show', 'show_every', 'step_delay', 'resume_from', 'checkpoint_every', 'model'])

/** Return the field for the number of seeds. */
export function seedsField(): ParameterField {
  return {
    name: 'seeds', label: t('sweep.seeds.label'), help: t('sweep.seeds.help'),
    kind: 'integer', min: 1, max: MOST_SEEDS, choices: [], optional: false, initial: 1,
  }
}

/** The form of a training run. It keeps what was typed while other views are open. */
export const useTrainForm = defineStore('trainform', () => {
  const { data: fields, problem, refresh } = useResource(async (signal) =>
    fieldsOf(await request<WireSchema>('api/schema', { signal })))
  const entries = reactive<Record<string, Entry>>({})
  const modelName = ref<Entry>('')
  const seeds = ref<Entry>('1')
  watch(fields, () => { for (const field of fields.value ?? []) entries[field.name] ??= firstEntry(field) }, { flush: 'sync' })

  const first = computed(() => (fields.value ?? []).filter((field) => FIRST.includes(field.name)))
  const more = computed(() => (fields.value ?? []).filter((field) => !FIRST.includes(field.name)))

  const errors = computed(() => {
    const found: Record<string, string> = {}
    for (const field of fields.value ?? []) {
      const error = errorOf(field, entries[field.name] ?? '')
      if (error !== null) found[field.name] = error
    }
    const wrong = errorOf(seedsField(), seeds.value)
    if (wrong !== null) found.seeds = wrong
    const batch = parseNumber(String(entries.batch_size), true)
    const capacity = parseNumber(String(entries.buffer_capacity), true)
    if (!found.batch_size && batch !== null && capacity !== null && batch > capacity) found.batch_size = t('train.wrong.buffer', { capacity })
    return found
  })
  const valid = computed(() => fields.value !== null && Object.keys(errors.value).length === 0)

  function reset(): void {
    modelName.value = ''
    seeds.value = '1'
    for (const field of fields.value ?? []) entries[field.name] = firstEntry(field)
  }

  /** Return the parameters that differ from the server's defaults. */
  function parameters(): Omit<StartTraining, 'command' | 'type'> {
    const changed = (fields.value ?? [])
      .map((field) => [field, wireValue(field, entries[field.name] ?? '')] as const)
      .filter(([field, value]) => value !== field.initial)
    const name = String(modelName.value).trim().replace(/\.pt$/, '')
    return {
      ...Object.fromEntries(changed.map(([field, value]) => [field.name, value])),
      ...(name !== '' && { model: `${name}.pt` }),
    }
  }

  /** How many seeds are to be trained; one is a single run. */
  const count = computed(() => parseNumber(String(seeds.value), true) ?? 1)

  /** Return the sweep over as many seeds, the typed one first, with the parameters that differ from the defaults. */
  function sweep(): Omit<StartSweep, 'command'> {
    const given = parameters()
    const first = typeof given.seed === 'number' ? given.seed : 1
    const settings = Object.entries(given)
      .filter(([name, value]) => !NOT_OF_SWEEPS.has(name) && value !== null)
      .map(([name, value]): [string, SettingValue[]] => [name, [value as SettingValue]])
    return {
      seeds: Array.from({ length: count.value }, (_each, index) => first + index),
      settings: Object.fromEntries(settings),
      worlds: given.world === null || given.world === undefined ? [] : [given.world],
    }
  }

  /** Let the next run learn in a world, as the address names it. */
  function choose(world: string): void {
    entries.world = world
  }

  return { choose, problem, entries, modelName, seeds, count, first, more, errors, valid, refresh, reset, parameters, sweep }
})
