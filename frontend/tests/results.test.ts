// @vitest-environment happy-dom
import { createPinia, setActivePinia } from 'pinia'
import { beforeEach, describe, expect, it } from 'vitest'

import type { FinishedEpisode } from '@/session/state'
import { UNTRAINED, YOU, useResults } from '@/session/results'

function finished(steps: number, change: Partial<FinishedEpisode> = {}): FinishedEpisode {
  return {
    model: 'a.pt',
    by: 'policy',
    start: 'usual',
    world: null,
    end: {
      type: 'episode_end', episode: 1, steps, total_reward: steps / 10, reason: 'meter_depleted',
      failure_reason: 'mood_depleted',
    },
    ...change,
  }
}

beforeEach(() => {
  localStorage.clear()
  setActivePinia(createPinia())
})

describe('records', () => {
  it('rank the person among the models', () => {
    const results = useResults()
    results.add(finished(76))
    results.add(finished(100, { by: 'human' }))
    results.add(finished(50, { by: 'human' }))
    results.add(finished(40, { model: null }))
    expect(results.standings('usual').map(({ player, bestSteps, meanSteps }) => [player, bestSteps, meanSteps])).toEqual([
      [YOU, 100, 75], ['a.pt', 76, 76], [UNTRAINED, 40, 40],
    ])
  })

  it('are told apart by how lives began', () => {
    const results = useResults()
    results.add(finished(76))
    results.add(finished(30, { start: 'random' }))
    expect(results.standings('random').map(({ bestSteps, episodes }) => [bestSteps, episodes])).toEqual([[30, 1]])
    expect(results.standings('usual').map(({ bestSteps, episodes }) => [bestSteps, episodes])).toEqual([[76, 1]])
    expect(results.standings('chosen')).toEqual([])
  })

  it('are told apart by the world', () => {
    const results = useResults()
    results.add(finished(76))
    results.add(finished(2, { world: 'c0ffee' }))
    expect(results.standings('usual').map(({ bestSteps, episodes }) => [bestSteps, episodes])).toEqual([[76, 1]])
    expect(results.standings('usual', 'c0ffee').map(({ bestSteps }) => bestSteps)).toEqual([2])
  })

  it('count neither what was cut short nor what changed hands', () => {
    const results = useResults()
    const cut = finished(10)
    results.add({ ...cut, end: { ...cut.end, reason: 'reset' } })
    results.add(finished(10, { by: 'both' }))
    expect(results.standings('usual')).toEqual([])
  })

  it('stay bounded, in episodes and in players, and never forget the person', () => {
    const results = useResults()
    results.add(finished(1, { by: 'human' }))
    for (let index = 0; index < 500; index++) results.add(finished(index))
    expect(results.of('a.pt')).toHaveLength(300)
    for (let index = 0; index < 100; index++) results.add(finished(index, { model: `${index}.pt` }))
    expect(results.standings('usual')).toHaveLength(40)
    expect(results.of(YOU)).toHaveLength(1)
    expect(results.of('99.pt')).toHaveLength(1)
  })

  it('survive a reload, and a storage that holds something else', () => {
    const results = useResults()
    results.add(finished(76))
    window.dispatchEvent(new Event('pagehide'))
    setActivePinia(createPinia())
    expect(useResults().of('a.pt')).toHaveLength(1)
    localStorage.setItem('hamlet.records', '["x"')
    setActivePinia(createPinia())
    expect(useResults().standings('usual')).toEqual([])
  })
})
