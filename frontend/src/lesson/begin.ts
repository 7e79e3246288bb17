import { watch } from 'vue'

import { useActive } from '@/common/active'
import { type Begin, useLesson } from '@/lesson/store'
import type { ViewName } from '@/shell/route'

/** Do what a stop of the lesson wants of a view, once it is on screen and set up as the address says. */
export function useLessonBegin(view: ViewName, actions: Partial<Record<Begin['action'], () => void>>): void {
  const lesson = useLesson()
  const active = useActive()
  watch(() => (active.value && lesson.begin?.view === view ? lesson.begin : null), (begin) => {
    if (begin === null) return
    lesson.begin = null
    actions[begin.action]?.()
  }, { immediate: true, flush: 'post' })
}
