// @vitest-environment happy-dom
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { createPinia, setActivePinia } from 'pinia'
import { effectScope, nextTick } from 'vue'

import { useTrainingRun } from '@/train/use'
import type { RunEvent, TrainingRun } from '@/train/run'
import { SocketDouble } from './socket-double'

async function watching(use: (run: TrainingRun) => void): Promise<void> {
  const scope = effectScope()
  scope.run(() => {
    const run = useTrainingRun()
    use(run)
  })
  await nextTick()
  scope.stop()
}

describe('the events of a run', () => {
  beforeEach(() => {
    setActivePinia(createPinia())
    SocketDouble.install()
    vi.stubGlobal('fetch', () => Promise.reject(new TypeError('refused')))
  })
  afterEach(() => {
    localStorage.clear()
    vi.unstubAllGlobals()
  })

  it('are remembered as they were, the newest 50 of them', async () => {
    let noted: RunEvent[] = []
    await watching((run) => {
      for (let episode = 1; episode <= 60; episode++) {
        SocketDouble.newest.receive({ type: 'checkpoint_saved', model: 'a.pt', episode })
      }
      noted = run.events.slice(0, 50)
    })
    await watching((run) => { expect([...run.events]).toEqual(noted) })
  })

  it('are none where the storage holds something else', async () => {
    localStorage.setItem('hamlet.events', '[{"id": 1, "at": "never", "kind": "saved", "text": ""}]')
    await watching((run) => { expect(run.events).toHaveLength(0) })
  })
})
