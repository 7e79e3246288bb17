import type { Meters } from '@/protocol/messages'

export type MeterName = keyof Meters
export type Level = 'good' | 'fine' | 'low' | 'critical'

export interface MeterKind {
  name: MeterName
  label: string
  /** The wire's value at the empty and at the full end of the bar. */
  min: number
  max: number
  /** Where the shaped reward changes, as parts of the bar: critical below the first, then low, fine, good. */
  thresholds: readonly [number, number, number]
}

/** In the order in which the world and the attention weights list them. */
export const METERS: readonly MeterKind[] = [
  { name: 'energy', label: 'Energy', min: 0, max: 1, thresholds: [0.3, 0.5, 0.8] },
  { name: 'hygiene', label: 'Hygiene', min: 0, max: 1, thresholds: [0.3, 0.5, 0.8] },
  { name: 'satiation', label: 'Satiation', min: 0, max: 1, thresholds: [0.3, 0.5, 0.8] },
  { name: 'money', label: 'Money', min: -100, max: 100, thresholds: [0.2, 0.4, 0.6] },
  { name: 'mood', label: 'Mood', min: 0, max: 100, thresholds: [0.2, 0.5, 0.8] },
  { name: 'social', label: 'Social', min: 0, max: 1, thresholds: [0.2, 0.5, 0.8] },
]

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
  return `${Math.round(filled(kind, value) * 100)}%`
}

/** Format a number with a true minus sign, so that digits keep their places. */
export function formatSigned(value: number, plus = true, digits = 0): string {
  const rounded = Number(value.toFixed(digits))
  const size = Math.abs(rounded).toFixed(digits)
  if (rounded < 0) return `\u2212${size}`
  return plus && rounded > 0 ? `+${size}` : size
}
