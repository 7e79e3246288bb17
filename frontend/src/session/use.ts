import { onBeforeUnmount, watch } from 'vue'

import { InferenceSession, type Wish } from '@/session/session'
import { TrainingRun } from '@/train/run'
import { rememberEvents, rememberedEvents } from '@/train/events'
import type { LinkState } from '@/common/socket'
import { useAccess } from '@/access/access'
import { useModels } from '@/models/store'
import { useRecords } from '@/session/results'

/** A connection that is refused for want of a login shows that this browser's has ended. */
function noticeLogin(link: LinkState): void {
  const access = useAccess()
  watch(() => link.refusal?.code, (code) => { if (code === 'login_needed') void access.refresh() })
}

/** A session that lives as long as the component; what is seen to its end goes into the records. */
export function useSession(wish: Partial<Wish>): InferenceSession {
  const records = useRecords()
  const session = new InferenceSession(wish, records.add)
  noticeLogin(session.link)
  onBeforeUnmount(() => { session.close() })
  return session
}

/** The server's training run, watched as long as the component lives. */
export function useTrainingRun(): TrainingRun {
  const models = useModels()
  // What a run saves can be watched at once.
  const saved = (): void => { void models.refresh() }
  const run = new TrainingRun({ saved, noted: rememberEvents }, rememberedEvents())
  noticeLogin(run.link)
  onBeforeUnmount(() => { run.close() })
  return run
}
