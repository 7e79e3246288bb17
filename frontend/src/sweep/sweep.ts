import type { SweepGroup, SweepProgress, SweepStatus, SweepTrial } from '@/protocol/messages'
import { type Overlay, type Point, overlay } from '@/runs/curves'

/** Return the sweep with the trials that changed in the place of what they were. */
export function progressed(sweep: SweepStatus, { trials, result }: SweepProgress): SweepStatus {
  const newer = new Map(trials.map((trial) => [trial.trial, trial]))
  return { ...sweep, result, trials: sweep.trials.map((trial) => newer.get(trial.trial) ?? trial) }
}

export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b)
  const middle = sorted.length >> 1
  const upper = sorted[middle] ?? 0
  return sorted.length % 2 === 1 ? upper : ((sorted[middle - 1] ?? upper) + upper) / 2
}

/** What trials have in common that differ in their seeds alone. */
type Setting = Pick<SweepTrial, 'settings' | 'world'>

export function keyOf({ settings, world }: Setting): string {
  return JSON.stringify([Object.entries(settings).sort(([a], [b]) => (a < b ? -1 : 1)), world])
}

/** A curve of each combination of settings and world: the median of its seeds, with their range as a band. */
export function bands(trials: readonly SweepTrial[], label: (trials: readonly SweepTrial[]) => string): Overlay {
  const groups = new Map<string, SweepTrial[]>()
  for (const trial of trials) groups.set(keyOf(trial), [...(groups.get(keyOf(trial)) ?? []), trial])
  const begun = [...groups.values()]
    .map((group, hue) => ({ group, hue }))
    .filter(({ group }) => group.some(({ evaluations }) => evaluations.length > 0))
  return overlay(
    begun.map(({ group, hue }) => ({
      label: label(group),
      hue,
      curves: group
        .filter(({ evaluations }) => evaluations.length > 0)
        .map(({ run_id, evaluations }) => ({ run: run_id, curve: evaluations.map(({ episode, length }): Point => ({ x: episode, y: length })) })),
    })),
    median,
  )
}

/** Return how far a sweep is, from 0 to 1: each trial by its episodes. */
export function share(trials: readonly SweepTrial[]): number {
  const done = trials.map(({ state, episode, num_episodes }) => (state === 'failed' ? 1 : episode / num_episodes))
  return done.reduce((sum, each) => sum + each, 0) / Math.max(1, trials.length)
}

/** Return whether a sweep began after the run that the server told of: ids sort by time. */
export function isNewer(sweep: SweepStatus, runId: string | null): boolean {
  return runId === null || sweep.sweep_id > runId
}

export function bestOf(sweep: SweepStatus): SweepTrial | null {
  return sweep.trials.find(({ trial }) => trial === sweep.result.best_trial) ?? null
}

export function groupOf(sweep: SweepStatus, trial: SweepTrial): SweepGroup | null {
  return sweep.result.groups.find((group) => keyOf(group) === keyOf(trial)) ?? null
}
