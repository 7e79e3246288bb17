import type { LifeTrace } from '@/life/trace'

/** Where the return of one life overtakes that of another for good. */
export interface Crossing {
  step: number
  value: number
  /** The indices of the lives: who is ahead after the step, and who is behind. */
  ahead: number
  behind: number
}

/**
 * Return, for each two lives, the step from which on one has the higher return until the shorter of them ends, where
 * the other had been ahead before.
 */
export function crossings(lives: readonly LifeTrace[]): Crossing[] {
  const found: Crossing[] = []
  lives.forEach((one, first) => {
    lives.slice(first + 1).forEach((other, offset) => {
      const crossing = lastCrossing(one, other)
      const second = first + 1 + offset
      if (crossing !== null) {
        const [ahead, behind] = crossing.leads ? [first, second] : [second, first]
        found.push({ step: crossing.step, value: crossing.value, ahead, behind })
      }
    })
  })
  return found.sort((a, b) => a.step - b.step)
}

/** Return the last step at which the lead changes between two lives, and whether the first one leads from there on. */
function lastCrossing(one: LifeTrace, other: LifeTrace): { step: number; value: number; leads: boolean } | null {
  const until = Math.min(one.length, other.length)
  let before = 0
  let beside = 0
  let last: { step: number; value: number; leads: boolean } | null = null
  for (const [row, step] of one.steps.entries()) {
    if (step > until) break
    const value = one.returns[row] ?? 0
    while ((other.steps[beside + 1] ?? Infinity) <= step) beside += 1
    const lead = Math.sign(value - (other.returns[beside] ?? 0))
    if (lead === 0) continue
    if (before !== 0 && lead !== before) last = { step, value, leads: lead > 0 }
    before = lead
  }
  return last
}
