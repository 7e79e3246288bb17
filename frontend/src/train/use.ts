import { onScopeDispose } from 'vue'

import { useLoginCheck } from '@/access/check'
import { remembered } from '@/common/storage'
import { useModels } from '@/models/store'
import { type RunEvent, TrainingRun } from '@/train/run'

const KEPT = 50

/** Return stored events, or undefined for anything else. */
function parseEvents(stored: unknown): RunEvent[] | undefined {
  if (!Array.isArray(stored)) return undefined
  const events = stored.map((one: Partial<RunEvent>) => ({ ...one, at: new Date(one.at ?? NaN) }) as RunEvent)
  const valid = events.every((one) => typeof one.id === 'number' && !Number.isNaN(one.at.getTime()) && Boolean(one.kind))
  return valid ? events : undefined
}

/** Watch the server's training run as long as the component lives. Its events survive a reload. */
export function useTrainingRun(): TrainingRun {
  const models = useModels()
  const events = remembered<RunEvent[]>('events', [], parseEvents, { shallow: true })
  const run = new TrainingRun({
    saved: () => { void models.refresh() },
    noted: (all) => { events.value = all.slice(0, KEPT) },
  }, events.value)
  useLoginCheck(run.connection)
  onScopeDispose(() => { run.close() })
  return run
}
