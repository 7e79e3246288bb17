import { useEventListener } from '@vueuse/core'
import { type ComputedRef, type ShallowRef, computed, shallowRef } from 'vue'

import type { FrameFeed } from '@/session/feed'
import type { Cell } from '@/session/starts'

interface AgentDrag {
  /** The cell beneath the pointer; null while nothing is dragged. */
  cell: ShallowRef<Cell | null>
  /** Where that cell is drawn in the plane. */
  style: ComputedRef<Record<string, string>>
  begin: (event: PointerEvent) => void
}

/** Let an agent be dragged over the plane to another cell, with a mouse or a finger; `placed` hears where it is dropped. */
export function useAgentDrag(
  plane: Readonly<ShallowRef<HTMLElement | null>>, feed: FrameFeed, placed: (cell: Cell, agent: string) => void,
): AgentDrag {
  const cell = shallowRef<Cell | null>(null)
  let dragged: { agent: string; from: Cell; pointer: number } | null = null

  const style = computed((): Record<string, string> => {
    const ground = feed.ground.value
    if (ground === null || cell.value === null) return {}
    const [x, y] = cell.value
    return {
      width: `${100 / ground.width}%`, height: `${100 / ground.height}%`,
      left: `${(100 * x) / ground.width}%`, top: `${(100 * y) / ground.height}%`,
    }
  })

  /** Return the cell beneath the pointer; null outside of the plane, where a drop changes nothing. */
  function beneath(event: PointerEvent): Cell | null {
    const ground = feed.ground.value
    const box = plane.value?.getBoundingClientRect()
    if (ground === null || box === undefined) return null
    const x = Math.floor(((event.clientX - box.left) / box.width) * ground.width)
    const y = Math.floor(((event.clientY - box.top) / box.height) * ground.height)
    return x >= 0 && y >= 0 && x < ground.width && y < ground.height ? [x, y] : null
  }

  function begin(event: PointerEvent): void {
    const element = (event.target as Element).closest<HTMLElement>('.agent')
    const from = beneath(event)
    if (element === null || from === null || event.button !== 0) return
    event.preventDefault()
    dragged = { agent: element.dataset.agent ?? '', from, pointer: event.pointerId }
  }

  function move(event: PointerEvent): void {
    if (dragged?.pointer !== event.pointerId) return
    const now = beneath(event)
    const still = cell.value === null && now?.join() === dragged.from.join()
    if (!still) cell.value = now
  }

  function end(event: PointerEvent): void {
    if (dragged?.pointer !== event.pointerId) return
    const { agent } = dragged
    const to = event.type === 'pointerup' ? cell.value : null
    dragged = null
    cell.value = null
    if (to !== null) placed(to, agent)
  }

  useEventListener(window, 'pointermove', move)
  useEventListener(window, ['pointerup', 'pointercancel'], end)

  return { cell, style, begin }
}
