import type { RunSummary, StoredEpisode } from '@/protocol/messages'
import { FIGURES, type FigureName } from '@/runs/figures'

export interface Point { x: number; y: number }

/** Return a run's curve: at each episode with a value the mean over the last `window` episodes, where the figure is smoothed. */
export function curveOf(episodes: readonly StoredEpisode[], figure: FigureName, window: number): Point[] {
  const { smooth, value } = FIGURES[figure]
  const span = smooth ? window : 1
  const curve: Point[] = []
  const kept: Point[] = []
  let sum = 0
  for (const episode of episodes) {
    const y = value(episode)
    if (y === null || y === undefined) continue
    kept.push({ x: episode.episode, y })
    sum += y
    while ((kept[0]?.x ?? Infinity) <= episode.episode - span) sum -= kept.shift()?.y ?? 0
    curve.push({ x: episode.episode, y: sum / kept.length })
  }
  return curve
}

/** Return a curve's value at an episode, between two of its points on the straight line; null outside of it. */
function valueAt(curve: readonly Point[], x: number): number | null {
  let low = 0
  let high = curve.length - 1
  const first = curve[low]
  const last = curve[high]
  if (first === undefined || last === undefined || x < first.x || x > last.x) return null
  while (high - low > 1) {
    const middle = (low + high) >> 1
    if ((curve[middle]?.x ?? 0) <= x) low = middle
    else high = middle
  }
  const [before, after] = [curve[low] ?? first, curve[high] ?? last]
  if (before.x === after.x || x === before.x) return before.y
  return before.y + ((after.y - before.y) * (x - before.x)) / (after.x - before.x)
}

export interface OverlayLine {
  /** What it is about: a run's id, or the ids of the runs that it is the mean of. */
  runs: string[]
  label: string
  /** Its place among the colours, from 0. */
  hue: number
  values: (number | null)[]
  /** Of several runs: the lowest and the highest of them. */
  band: { low: (number | null)[]; high: (number | null)[] } | null
}

export interface Overlay { xs: number[]; lines: OverlayLine[] }

export interface LineOf { label: string; hue: number; curves: { run: string; curve: Point[] }[] }

function mean(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length
}

/** Put curves over each other on one axis. A line of several curves is their `middle`, with the range as its band. */
export function overlay(lines: readonly LineOf[], middle: (values: readonly number[]) => number = mean): Overlay {
  const xs = [...new Set(lines.flatMap(({ curves }) => curves.flatMap(({ curve }) => curve.map(({ x }) => x))))]
  xs.sort((a, b) => a - b)
  return { xs, lines: lines.map((line) => lineOver(xs, line, middle)) }
}

function lineOver(xs: readonly number[], { label, hue, curves }: LineOf, middle: (values: readonly number[]) => number): OverlayLine {
  const columns = xs.map((x) => curves.map(({ curve }) => valueAt(curve, x)).filter((value) => value !== null))
  const of = (figure: (values: number[]) => number): (number | null)[] =>
    columns.map((values) => (values.length === 0 ? null : figure(values)))
  return {
    runs: curves.map(({ run }) => run), label, hue,
    values: of(middle),
    band: curves.length < 2 ? null : { low: of((values) => Math.min(...values)), high: of((values) => Math.max(...values)) },
  }
}

/** Parameters that say how a run is shown or stored, and nothing of how it learns. */
const SHOWN_ONLY: ReadonlySet<string> = new Set(['seed', 'show', 'show_every', 'step_delay', 'checkpoint_every', 'num_episodes'])

/** Return what two runs have in common that are seeds of one configuration. */
export function configurationOf(run: Pick<RunSummary, 'run_id' | 'parameters'>): string {
  if (run.parameters === null) return run.run_id
  const kept = Object.entries(run.parameters).filter(([name]) => !SHOWN_ONLY.has(name))
  return JSON.stringify(kept.sort(([a], [b]) => (a < b ? -1 : 1)))
}

/** Columns of their own, or of no interest to a comparison. */
const HAVE_COLUMNS: ReadonlySet<string> = new Set(['seed', 'world', 'network_type', 'num_episodes', 'show', 'show_every', 'step_delay'])

/** Return the names of parameters in which the runs differ. */
export function differing(runs: readonly Pick<RunSummary, 'parameters'>[]): string[] {
  const seen = new Map<string, Set<string>>()
  const known = runs.map(({ parameters }) => parameters).filter((one) => one !== null)
  for (const parameters of known) {
    for (const [name, value] of Object.entries(parameters)) {
      if (!HAVE_COLUMNS.has(name)) seen.set(name, (seen.get(name) ?? new Set()).add(JSON.stringify(value)))
    }
  }
  return [...seen].filter(([, values]) => values.size > 1).map(([name]) => name)
}

function cell(text: string): string {
  // A spreadsheet takes these first characters for a formula.
  const safe = /^[=+\-@\t\r]/.test(text) ? `'${text}` : text
  return /[",\r\n]/.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe
}

/** Return an overlay as CSV (RFC 4180): a row for each episode, a column for each line, three for one with a band. */
export function overlayCsv({ xs, lines }: Overlay, words: { episode: string; lowest(of: string): string; highest(of: string): string }): string {
  const columns = lines.flatMap(({ label, values, band }) => [
    { label, values },
    ...(band === null ? [] : [{ label: words.lowest(label), values: band.low }, { label: words.highest(label), values: band.high }]),
  ])
  const rows = xs.map((x, index) => [String(x), ...columns.map(({ values }) => String(values[index] ?? ''))].join(','))
  return [[words.episode, ...columns.map(({ label }) => label)].map(cell).join(','), ...rows, ''].join('\r\n')
}
