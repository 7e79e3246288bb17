import { capitalised } from '@/common/text'
import { parseNumber, typed } from '@/language/numbers'
import { parseSpec } from '@/worlds/spec'

/** A value of the form: text as typed, or a choice. */
export type Entry = string | boolean

export interface ParameterField {
  name: string
  label: string
  help: string
  kind: 'integer' | 'number' | 'text' | 'choice' | 'switch'
  min: number | null
  max: number | null
  choices: readonly string[]
  /** Whether it may be left empty. */
  optional: boolean
  initial: unknown
}

interface JsonSchema {
  type?: string
  description?: string
  minimum?: number
  maximum?: number
  enum?: unknown[]
  anyOf?: JsonSchema[]
  default?: unknown
  properties?: Record<string, JsonSchema>
  $ref?: string
}

/** What the page reads of `/api/schema`. */
export interface WireSchema {
  training_parameters: { $ref: string }
  $defs: Record<string, JsonSchema>
}

const LABELS: Readonly<Record<string, string>> = {
  num_episodes: 'Episodes',
  batch_size: 'Batch size',
  buffer_capacity: 'Replay buffer',
  show_every: 'Show one episode in',
  step_delay: 'Seconds per shown step',
  network_type: 'Network',
  learning_rate: 'Learning rate',
  gamma: 'Discount (gamma)',
  seed: 'Seed',
  checkpoint_every: 'Episodes per checkpoint',
  max_steps: 'Steps per episode, at most',
  num_envs: 'Worlds at once',
  random_start: 'Share of random starts',
  resume_from: 'Go on from',
  world: 'World',
}

export function parameterLabel(name: string): string {
  return LABELS[name] ?? capitalised(name.replaceAll('_', ' '))
}

/** Return the fields of `start_training` as the server describes them, so that limits are stated once. */
export function fieldsOf(schema: WireSchema): ParameterField[] {
  const name = schema.training_parameters.$ref.split('/').at(-1) ?? ''
  const properties = schema.$defs[name]?.properties ?? {}
  return Object.entries(properties).map(([field, described]) => fieldOf(field, described))
}

function fieldOf(name: string, described: JsonSchema): ParameterField {
  const variants = described.anyOf ?? [described]
  const main = variants.find((variant) => variant.type !== 'null') ?? described
  return {
    name,
    label: parameterLabel(name),
    help: described.description ?? main.description ?? '',
    kind: kindOf(main),
    min: main.minimum ?? null,
    max: main.maximum ?? null,
    choices: (main.enum ?? []).map(String),
    optional: variants.some((variant) => variant.type === 'null'),
    initial: described.default ?? null,
  }
}

function kindOf(schema: JsonSchema): ParameterField['kind'] {
  if (schema.enum !== undefined) return 'choice'
  if (schema.type === 'integer' || schema.type === 'number') return schema.type
  return schema.type === 'boolean' ? 'switch' : 'text'
}

export function initialEntry(field: ParameterField): Entry {
  if (field.kind === 'switch') return field.initial === true
  return typeof field.initial === 'number' ? typed(field.initial) : field.initial === null ? '' : String(field.initial)
}

/** Return what is wrong with an entry, in words, or null. */
export function errorOf(field: ParameterField, entry: Entry): string | null {
  if (typeof entry === 'boolean') return null
  const text = entry.trim()
  if (text === '') return field.optional ? null : 'This needs a value.'
  if (field.kind === 'choice') return field.choices.includes(text) ? null : 'Choose one from the list.'
  if (field.kind === 'text') return null
  const value = parseNumber(text, field.kind === 'integer')
  if (value === null) return 'This must be a number.'
  if (field.kind === 'integer' && !Number.isInteger(value)) return 'This must be a whole number.'
  const { min, max } = field
  if ((min !== null && value < min) || (max !== null && value > max)) return `Allowed: ${limits(field)}.`
  return null
}

/** Return the range of a field as people read it. */
export function limits(field: ParameterField): string {
  const show = (value: number): string => value.toLocaleString('en', { maximumSignificantDigits: 10 })
  if (field.min !== null && field.max !== null) return `${show(field.min)} to ${show(field.max)}`
  if (field.min !== null) return `${show(field.min)} or more`
  return field.max === null ? '' : `${show(field.max)} or less`
}

/** Return the value of an entry on the wire. */
export function wireValue(field: ParameterField, entry: Entry): unknown {
  if (typeof entry === 'boolean') return entry
  const text = entry.trim()
  if (text === '') return null
  if (field.name === 'world') return parseSpec(text)
  return field.kind === 'integer' || field.kind === 'number' ? parseNumber(text, field.kind === 'integer') : text
}
