import type { MeterName } from '@/world/meters'

export type Effects = Record<MeterName, number>

export interface Place {
  name: string
  x: number
  y: number
  code: number
  effects: Effects
  /** What work pays to an agent that is tired; null for places that pay everyone alike. */
  tired_money: number | null
  /** What the shaped reward counts, where it is not the effects. */
  rewarded: Effects | null
  /** As which it is shown. */
  type?: string
}

export interface Meter {
  name: MeterName
  drain: number
  start: number
  minimum: number
  maximum: number
  place: string | null
  random_low: number
  random_high: number
}

/** Every field of a world, as `/api/worlds/NAME` tells it; the editor changes some and carries all. */
export interface Config {
  width: number
  height: number
  start: [number, number]
  max_steps: number
  meters: Meter[]
  affordances: Place[]
  meals: string[]
  reward: 'shaped' | 'survival'
  end_penalty: number
  shaped: Record<string, unknown>
  survival: Record<string, unknown>
  [field: string]: unknown
}

type Fields = Record<string, unknown>
const NAMED: readonly string[] = ['meters', 'affordances']

/** Return whether a value is an object of fields. */
export function isFields(value: unknown): value is Fields {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

export function same(a: unknown, b: unknown): boolean {
  return JSON.stringify(a) === JSON.stringify(b)
}

/** Return the fields in which a configuration differs from the usual one, as the server takes them. */
export function changesOf(usual: Fields, own: Fields): Fields {
  const changes: Fields = {}
  for (const [name, value] of Object.entries(own)) {
    const known = usual[name]
    if (same(value, known)) continue
    if (NAMED.includes(name)) changes[name] = changesByName(known as Place[], value as Place[])
    else changes[name] = isFields(known) && isFields(value) ? changesOf(known, value) : value
  }
  return changes
}

/** Return changes by name, or the whole list where entries stand in another order. */
function changesByName(usual: readonly { name: string }[], own: readonly { name: string }[]): unknown {
  const known = new Map(usual.map((entry) => [entry.name, entry]))
  const mine = new Map(own.map((entry) => [entry.name, entry]))
  const order = [...[...known.keys()].filter((name) => mine.has(name)), ...[...mine.keys()].filter((name) => !known.has(name))]
  if (!same(order, [...mine.keys()])) return own
  const changes: Fields = {}
  for (const name of known.keys()) if (!mine.has(name)) changes[name] = false
  for (const [name, entry] of mine) {
    const before = known.get(name)
    if (same(entry, before)) continue
    const fields = Object.fromEntries(Object.entries(entry).filter(([field]) => field !== 'name'))
    changes[name] = before ? changesOf({ ...before }, fields) : fields
  }
  return changes
}
