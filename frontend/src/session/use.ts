import { onScopeDispose, watch } from 'vue'

import { useLoginCheck } from '@/access/check'
import { useActive } from '@/common/active'
import { useResults } from '@/session/results'
import { useRoom } from '@/room/store'
import { InferenceSession } from '@/session/session'
import type { DesiredState } from '@/session/state'

/** Open a session that lives as long as the component and waits while its view is hidden; episodes seen to their end are added to the results. `place` names it within the page: a reloaded tab goes on with it. */
export function useSession(desired: Partial<DesiredState> & { start?: string | null }, place: string): InferenceSession {
  const session = new InferenceSession(desired, useResults().add, undefined, place)
  useLoginCheck(session.connection)
  const active = useActive()
  const room = useRoom()
  watch(active, (now) => { session.setHidden(!now) })
  watch(active, (now) => { if (now) room.offer(session) }, { immediate: true })
  onScopeDispose(() => {
    room.withdraw(session)
    session.close()
  })
  return session
}
