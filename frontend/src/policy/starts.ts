import { type Ref, ref, watch } from 'vue'

import { useActive } from '@/common/active'
import type { InferenceSession } from '@/session/session'
import { type Cell, type Start, formatStart } from '@/session/starts'
import { useRoute } from '@/shell/route'

interface Starts {
  /** Whether a cell is being chosen in the world. */
  placing: Ref<boolean>
  choose: (start: Start) => void
  place: (cell: Cell) => void
}

/** Keep where a session's episodes begin as the address says it, and let a person choose it. */
export function useStarts(session: InferenceSession): Starts {
  const { route, go } = useRoute()
  const active = useActive()
  const placing = ref(false)

  function choose(start: Start): void {
    placing.value = false
    session.starts.choose(start)
  }

  function place(cell: Cell): void {
    choose({ kind: 'chosen', cell })
  }

  watch(() => [active.value, route.start], () => { if (active.value) session.starts.follow(route.start) })
  watch(session.starts.chosen, (start) => { if (active.value && formatStart(start) !== route.start) go({ start: formatStart(start) }) })

  return { placing, choose, place }
}
