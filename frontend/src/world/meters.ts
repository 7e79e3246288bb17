import type { Meters } from '@/protocol/messages'
import { n, t } from '@/language/text'

export type MeterName = keyof Meters
export type Level = 'good' | 'fine' | 'low' | 'critical'

export interface MeterKind {
  name: MeterName
  /** In the reader's language. */
  readonly label: string
  /** The wire's value at the empty and at the full end of the bar. */
  min: number
  max: number
  /** Where the shaped reward changes, as parts of the bar: critical below the first, then low, fine, good. */
  thresholds: readonly [number, number, number]
}

/** In the order in which the world and the attention weights list them. */
export const METERS: readonly MeterKind[] = ([
  { name: 'energy', min: 0, max: 1, thresholds: [0.3, 0.5, 0.8] },
  { name: 'hygiene', min: 0, max: 1, thresholds: [0.3, 0.5, 0.8] },
  { name: 'satiation', min: 0, max: 1, thresholds: [0.3, 0.5, 0.8] },
  { name: 'money', min: -100, max: 100, thresholds: [0.2, 0.4, 0.6] },
  { name: 'mood', min: 0, max: 100, thresholds: [0.2, 0.5, 0.8] },
  { name: 'social', min: 0, max: 1, thresholds: [0.2, 0.5, 0.8] },
] as const).map((kind) => ({ ...kind, get label() { return t(`world.meter.${kind.name}`) } }))

/** Return the two ends of the drawn part of the bar, 0..1: from zero to the value, below zero to the left. */
export function extent(kind: MeterKind, value: number): [number, number] {
  const [from, to] = [filled(kind, 0), filled(kind, value)]
  return from < to ? [from, to] : [to, from]
}

/** Return where a value lies between the bar's ends, 0..1. */
export function filled(kind: MeterKind, value: number): number {
  return Math.min(1, Math.max(0, (value - kind.min) / (kind.max - kind.min)))
}

export function levelOf(kind: MeterKind, value: number): Level {
  const part = filled(kind, value)
  const [critical, low, fine] = kind.thresholds
  if (part >= fine) return 'good'
  if (part >= low) return 'fine'
  return part >= critical ? 'low' : 'critical'
}

/** Return the value as people read it: money in its own unit, everything else as a percentage. */
export function shownValue(kind: MeterKind, value: number): string {
  if (kind.name === 'money') return formatSigned(Math.round(value), false)
  // A narrow space, where the language has one: a phone has no room for a wide one.
  return n(filled(kind, value), { style: 'percent' }).replace('\u00a0', '\u202f')
}

/** Format a number in the reader's notation, without a sign at zero. */
export function formatSigned(value: number, plus = true, digits = 0): string {
  return n(value, {
    minimumFractionDigits: digits, maximumFractionDigits: digits, signDisplay: plus ? 'exceptZero' : 'negative',
  })
}
