// @vitest-environment happy-dom
import { afterEach, describe, expect, it } from 'vitest'

import type { RunEvent } from '@/train/run'
import { rememberEvents, rememberedEvents } from '@/train/events'

function happened(id: number): RunEvent {
  return { id, at: new Date(2026, 0, 1, 12, 0, id), kind: 'saved', text: `after episode ${id}` }
}

describe('what happened', () => {
  afterEach(() => { localStorage.clear() })

  it('is remembered as it was, the newest of it', () => {
    const events = Array.from({ length: 60 }, (_, index) => happened(60 - index))
    rememberEvents(events)
    expect(rememberedEvents()).toEqual(events.slice(0, 50))
  })

  it('is nothing where the storage holds something else', () => {
    localStorage.setItem('hamlet.events', '[{"id": 1, "at": "never", "kind": "saved", "text": ""}]')
    expect(rememberedEvents()).toEqual([])
  })
})
