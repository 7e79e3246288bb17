import { capitalised } from '@/common/text'
import { parseNumber, typed } from '@/language/numbers'
import { n, t } from '@/language/text'
import { networkLabel } from '@/models/details'
import { parseSpec } from '@/worlds/spec'

/** A value of the form: text as typed, or a choice. */
export type Entry = string | boolean

export interface ParameterField {
  name: string
  /** In the reader's language, as is `help`. */
  readonly label: string
  readonly help: string
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

const NAMED = [
  'num_episodes', 'batch_size', 'buffer_capacity', 'show_every', 'step_delay', 'network_type', 'learning_rate', 'gamma', 'seed',
  'checkpoint_every', 'max_steps', 'num_envs', 'random_start', 'num_agents', 'contention', 'world', 'show', 'resume_from',
] as const

type Named = (typeof NAMED)[number]

function isNamed(name: string): name is Named {
  return NAMED.some((known) => known === name)
}

/** Return the name of a parameter; one that this page does not know keeps its own. */
export function parameterLabel(name: string): string {
  return isNamed(name) ? t(`train.parameter.${name}.label`) : capitalised(name.replaceAll('_', ' '))
}

/** Return a parameter's value in words. */
export function parameterText(name: string, value: unknown): string {
  if (typeof value === 'number') return n(value, { maximumSignificantDigits: 10 })
  return choiceText(name, String(value))
}

/** Return the label of a choice. */
export function choiceLabel(field: ParameterField, choice: string): string {
  return choiceText(field.name, choice)
}

function choiceText(name: string, choice: string): string {
  if (name === 'show' && (choice === 'live' || choice === 'showcase')) return t(`train.shows.${choice}`)
  if (choice === 'true' || choice === 'false') return choice === 'true' ? t('train.form.yes') : t('train.form.no')
  return networkLabel(choice)
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
  const optional = variants.some((variant) => variant.type === 'null')
  return {
    name,
    get label() { return parameterLabel(name) },
    get help() { return isNamed(name) ? t(`train.parameter.${name}.help`) : capitalised(described.description ?? main.description ?? '') },
    kind: optional && main.type === 'boolean' ? 'choice' : kindOf(main),
    min: main.minimum ?? null,
    max: main.maximum ?? null,
    choices: main.type === 'boolean' ? ['true', 'false'] : (main.enum ?? []).map(String),
    optional,
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
  if (text === '') return field.optional ? null : t('train.wrong.empty')
  if (field.kind === 'choice') return field.choices.includes(text) ? null : t('train.wrong.choice')
  if (field.kind === 'text') return null
  const value = parseNumber(text, field.kind === 'integer')
  if (value === null) return t('train.wrong.number')
  if (field.kind === 'integer' && !Number.isInteger(value)) return t('train.wrong.whole')
  const { min, max } = field
  if ((min !== null && value < min) || (max !== null && value > max)) return t('train.wrong.allowed', { range: limits(field) })
  return null
}

/** Return the range of a field as people read it. */
export function limits(field: ParameterField): string {
  const show = (value: number): string => n(value, { maximumSignificantDigits: 10 })
  if (field.min !== null && field.max !== null) return t('train.range.between', { min: show(field.min), max: show(field.max) })
  if (field.min !== null) return t('train.range.least', { min: show(field.min) })
  return field.max === null ? '' : t('train.range.most', { max: show(field.max) })
}

/** Return the value of an entry on the wire. */
export function wireValue(field: ParameterField, entry: Entry): unknown {
  if (typeof entry === 'boolean') return entry
  const text = entry.trim()
  if (text === '') return null
  if (field.name === 'world') return parseSpec(text)
  // A switch that may be left to the world.
  if (field.kind === 'choice' && (text === 'true' || text === 'false')) return text === 'true'
  return field.kind === 'integer' || field.kind === 'number' ? parseNumber(text, field.kind === 'integer') : text
}
