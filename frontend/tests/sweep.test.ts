import { describe, expect, it } from 'vitest'

import type { SweepStatus, SweepTrial } from '@/protocol/messages'
import { bands, bestOf, groupOf, isNewer, median, progressed, share } from '@/sweep/sweep'

function trial(number: number, lengths: number[], more: Partial<SweepTrial> = {}): SweepTrial {
  return {
    trial: number, run_id: `run-${number}`, seed: number, settings: {}, world: null, num_episodes: 10, state: 'running',
    episode: 5 * lengths.length, model: null, reason: null,
    evaluations: lengths.map((length, index) => ({ episode: 5 * (index + 1), length, usual_length: 500 })), ...more,
  }
}

const label = (trials: readonly SweepTrial[]): string => trials.map(({ seed }) => seed).join('+')

function sweep(trials: SweepTrial[]): SweepStatus {
  return { type: 'sweep_status', sweep_id: '20260102-000000-aaaaaa', state: 'running', jobs: 2, trials, result: { groups: [], best_trial: null, model: null } }
}

describe('a sweep', () => {
  it('takes the place of trials that changed', () => {
    const before = sweep([trial(1, []), trial(2, [])])
    const result = { groups: [], best_trial: 2, model: 'sweep.pt' }
    const after = progressed(before, { type: 'sweep_progress', sweep_id: before.sweep_id, trials: [trial(2, [80])], result })
    expect(after.trials.map(({ evaluations }) => evaluations.length)).toEqual([0, 1])
    expect(after.result).toEqual(result)
    expect(bestOf(after)?.seed).toBe(2)
    expect(before.trials[1]?.evaluations).toEqual([])
  })

  it('is as far as its trials are, and one that failed is over', () => {
    expect(share([trial(1, [80, 90]), trial(2, [80]), trial(3, [], { state: 'failed' }), trial(4, [])])).toBeCloseTo(2.5 / 4)
    expect(share([])).toBe(0)
  })

  it('began after the run with the earlier id', () => {
    expect(isNewer(sweep([]), '20260101-235959-ffffff')).toBe(true)
    expect(isNewer(sweep([]), '20260102-000001-000000')).toBe(false)
    expect(isNewer(sweep([]), null)).toBe(true)
  })

  it('compares a trial with those that have its settings', () => {
    const [low, high] = [trial(1, [80], { settings: { gamma: 0.5 } }), trial(2, [90], { settings: { gamma: 0.9 } })]
    const group = { settings: { gamma: 0.9 }, world: null, trials: 1, median: 90, best: 90, worst: 90, best_trial: 2 }
    const status = { ...sweep([low, high]), result: { groups: [group], best_trial: 2, model: null } }
    expect(groupOf(status, high)).toBe(group)
    expect(groupOf(status, low)).toBeNull()
  })
})

describe('the bands of a sweep', () => {
  it('are medians with the range of the seeds that came so far', () => {
    const { xs, lines } = bands([trial(1, [10, 40]), trial(2, [30]), trial(3, [20, 60]), trial(4, [])], label)
    expect(xs).toEqual([5, 10])
    expect(lines.map((line) => line.label)).toEqual(['1+2+3+4'])
    expect(lines[0]?.values).toEqual([20, 50])
    expect(lines[0]?.band).toEqual({ low: [10, 40], high: [30, 60] })
  })

  it('are one for each combination, each in its colour before all have begun', () => {
    const { lines } = bands([trial(1, [], { world: 'small' }), trial(2, [9], { world: 'usual' })], label)
    expect(lines.map(({ label: name, hue, band }) => [name, hue, band])).toEqual([['2', 1, null]])
  })

  it('take the mean of the two in the middle', () => {
    expect(median([4, 1, 3, 2])).toBe(2.5)
    expect(median([7])).toBe(7)
  })
})
