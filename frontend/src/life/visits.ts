import type { LifeBook } from '@/life/book'
import type { LifeTrace } from '@/life/trace'

/** Lives before the one on screen that count as the last ones. */
const LAST_LIVES = 9

/** Return the heat map of the life on screen up to a step, with the last lives before it or alone. */
export function visitsOf(lives: LifeBook, step: number, alone: boolean): Record<string, number> {
  const { shown } = lives
  const counts = new Map<string, number>()
  const count = (life: LifeTrace, rows: number): void => {
    life.cells.slice(0, rows).forEach(([x, y]) => { counts.set(`${x},${y}`, (counts.get(`${x},${y}`) ?? 0) + 1) })
  }
  if (!alone) lives.past.filter((life) => life !== shown).slice(-LAST_LIVES).forEach((life) => { count(life, life.cells.length) })
  if (shown !== null) count(shown, shown.rowAt(step) + 1)
  const most = Math.max(1, ...counts.values())
  return Object.fromEntries([...counts].map(([cell, visits]) => [cell, visits / most]))
}
