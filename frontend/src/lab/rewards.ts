import type { Config } from '@/editor/config'
import type { RunEvaluation } from '@/protocol/messages'
import type { WorldSpec } from '@/worlds/spec'

/** The weights that the lab offers, with the range of each and a value that tempts. */
export const WEIGHTS = {
  near: { part: 'shaped', field: 'proximity_scale', min: 0, max: 40, step: 0.5, tempting: 20 },
  using: { part: 'shaped', field: 'interaction_scale', min: 0, max: 40, step: 0.5, tempting: 30 },
  hunger: { part: 'shaped', field: 'hunger_scale', min: 0, max: 40, step: 0.5, tempting: 0 },
  ending: { part: null, field: 'end_penalty', min: 0, max: 1000, step: 10, tempting: 0 },
} as const

export type WeightName = keyof typeof WEIGHTS
export const WEIGHT_NAMES = Object.keys(WEIGHTS) as WeightName[]

/** Return a weight's value in a world. */
export function weightOf(config: Config, name: WeightName): number {
  const { part, field } = WEIGHTS[name]
  return Number(part === null ? config[field] : config[part][field])
}

/** Return the usual world with one weight changed, as commands take it. */
export function worldWith(name: WeightName, value: number, title: string): WorldSpec {
  const { part, field } = WEIGHTS[name]
  return part === null ? { title, [field]: value } : { title, [part]: { [field]: value } }
}

export type Change = 'less' | 'alike' | 'more'
export const CHANGES: readonly Change[] = ['less', 'alike', 'more']

/** The share by which two figures may differ and still count as alike. */
const ALIKE = 0.1

export function changeOf(before: number, after: number): Change {
  const room = ALIKE * Math.max(Math.abs(before), Math.abs(after))
  if (Math.abs(after - before) <= room) return 'alike'
  return after > before ? 'more' : 'less'
}

export interface Verdict {
  survival: Change
  total: Change
  /** It is paid more and lives less: the reward asks for something else than living. */
  cheated: boolean
}

/** Return how an agent under another reward compares with one under the usual one, by the latest evaluations. */
export function verdictOf(usual: RunEvaluation | null, ours: RunEvaluation | null): Verdict | null {
  if (usual === null || ours === null) return null
  const survival = changeOf(usual.mean_length, ours.mean_length)
  const total = changeOf(usual.mean_return, ours.mean_return)
  return { survival, total, cheated: survival === 'less' && total === 'more' }
}
