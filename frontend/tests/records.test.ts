// @vitest-environment happy-dom
import { createPinia, setActivePinia } from 'pinia'
import { beforeEach, describe, expect, it } from 'vitest'

import type { FinishedEpisode } from '@/session/session'
import { UNTRAINED, YOU, useRecords } from '@/session/results'

function finished(steps: number, change: Partial<FinishedEpisode> = {}): FinishedEpisode {
  return {
    model: 'a.pt',
    by: 'policy',
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
    const records = useRecords()
    records.add(finished(76))
    records.add(finished(100, { by: 'human' }))
    records.add(finished(50, { by: 'human' }))
    records.add(finished(40, { model: null }))
    expect(records.standings.map(({ player, bestSteps, meanSteps }) => [player, bestSteps, meanSteps])).toEqual([
      [YOU, 100, 75], ['a.pt', 76, 76], [UNTRAINED, 40, 40],
    ])
  })

  it('count neither what was cut short nor what changed hands', () => {
    const records = useRecords()
    const cut = finished(10)
    records.add({ ...cut, end: { ...cut.end, reason: 'reset' } })
    records.add(finished(10, { by: 'both' }))
    expect(records.standings).toEqual([])
  })

  it('stay bounded, in episodes and in players, and never forget the person', () => {
    const records = useRecords()
    records.add(finished(1, { by: 'human' }))
    for (let index = 0; index < 500; index++) records.add(finished(index))
    expect(records.of('a.pt')).toHaveLength(300)
    for (let index = 0; index < 100; index++) records.add(finished(index, { model: `${index}.pt` }))
    expect(records.standings).toHaveLength(40)
    expect(records.of(YOU)).toHaveLength(1)
    expect(records.of('99.pt')).toHaveLength(1)
  })

  it('survive a reload, and a storage that holds something else', () => {
    const records = useRecords()
    records.add(finished(76))
    window.dispatchEvent(new Event('pagehide'))
    setActivePinia(createPinia())
    expect(useRecords().of('a.pt')).toHaveLength(1)
    localStorage.setItem('hamlet.records', '["x"')
    setActivePinia(createPinia())
    expect(useRecords().standings).toEqual([])
  })
})
