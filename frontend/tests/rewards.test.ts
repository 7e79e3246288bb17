import { describe, expect, it } from 'vitest'

import { changeOf, verdictOf, worldWith } from '@/lab/rewards'
import type { RunEvaluation } from '@/protocol/messages'

function evaluation(mean_length: number, mean_return: number): RunEvaluation {
  return { episode: 100, mean_length, mean_return, random_mean_length: null, random_mean_return: null }
}

describe('a reward of one\u2019s own', () => {
  it('is the usual world but for one weight', () => {
    expect(worldWith('near', 20, 'Near')).toEqual({ title: 'Near', shaped: { proximity_scale: 20 } })
    expect(worldWith('ending', 0, 'Free death')).toEqual({ title: 'Free death', end_penalty: 0 })
  })

  it('changes a figure only where it differs by more than a tenth', () => {
    expect(changeOf(500, 460)).toBe('alike')
    expect(changeOf(500, 449)).toBe('less')
    expect(changeOf(-100, -50)).toBe('more')
    expect(changeOf(0, 0)).toBe('alike')
  })

  it('is cheated where the agent is paid more and lives less', () => {
    expect(verdictOf(evaluation(500, 950), evaluation(159, 1424))).toEqual({ survival: 'less', total: 'more', cheated: true })
    expect(verdictOf(evaluation(500, 950), evaluation(159, 100))?.cheated).toBe(false)
    expect(verdictOf(evaluation(500, 950), evaluation(500, 2000))?.cheated).toBe(false)
    expect(verdictOf(null, evaluation(1, 1))).toBeNull()
  })
})
