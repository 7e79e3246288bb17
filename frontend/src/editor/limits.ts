import type { Config } from '@/editor/config'
import { FATAL_METERS, type NumberLimits, WORLD_LIMITS } from '@/protocol/messages'

/** Return the path of a field by which the server names it: `meters.start` of energy is `meters.energy.start`. */
export function fieldOf(kind: string, name: string | null = null): string {
  const [list = '', ...inner] = kind.split('.')
  return [list, ...(name === null ? [] : [name]), ...inner].join('.')
}

/** Return what the server allows in a field; the start of a meter is also within the meter's own range. */
export function limitsOf(config: Config | null, kind: string, name: string | null = null): NumberLimits {
  const limits = WORLD_LIMITS[kind] ?? { low: -Infinity, high: Infinity }
  const meter = kind === 'meters.start' ? config?.meters.find((one) => one.name === name) : undefined
  if (meter === undefined) return limits
  return { low: meter.minimum, high: meter.maximum, ...(FATAL_METERS.includes(meter.name) && { above: true }) }
}

/** What an input of a field needs beside its number. */
export interface FieldNeeds {
  /** Its path, as the server names it. */
  field: string
  limits: NumberLimits
  refused: boolean
  /** What was typed and refused. */
  held: string | null
  onHold: (text: string | null, label: string) => void
}

export function isWithin({ low, high, above, whole }: NumberLimits, value: number): boolean {
  return value >= low && value <= high && !(above && value === low) && (!whole || Number.isInteger(value))
}
