import { onScopeDispose } from 'vue'

import { useLoginCheck } from '@/access/check'
import { useModels } from '@/models/store'
import { TrainingRun } from '@/train/run'

/** Watch the server's training run as long as the component lives. */
export function useTrainingRun(): TrainingRun {
  const models = useModels()
  const run = new TrainingRun({ saved: () => { void models.refresh() } })
  useLoginCheck(run.connection)
  onScopeDispose(() => { run.close() })
  return run
}
