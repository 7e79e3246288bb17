import { watch } from 'vue'

import { useAccess } from '@/access/access'
import type { ConnectionState } from '@/common/socket'

/** Ask the server who this browser is when a connection is refused because its login has expired. */
export function useLoginCheck(connection: ConnectionState): void {
  const access = useAccess()
  watch(() => connection.refusal?.code, (code) => { if (code === 'login_needed') void access.refresh() })
}
