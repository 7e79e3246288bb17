import { defineStore } from 'pinia'
import { computed, shallowRef } from 'vue'

import { request, useResource } from '@/common/http'
import { remembered } from '@/common/storage'
import type { LessonResponse, LessonStop } from '@/protocol/messages'
import { type ViewName, parseRoute, useRoute } from '@/shell/route'

/** What a view does by itself when a stop has opened it. */
export interface Begin {
  view: ViewName
  action: NonNullable<LessonStop['begin']>
}

/** The guided lesson: its stops, and the one that the address names. */
export const useLesson = defineStore('lesson', () => {
  const routes = useRoute()
  const { data, refresh } = useResource((signal) => request<LessonResponse>('api/lesson', { signal }))
  /** Where the lesson was left, in this browser. */
  const left = remembered<string | null>('lesson', null, (stored) => (typeof stored === 'string' ? stored : undefined))
  const begin = shallowRef<Begin | null>(null)
  /** Whether the link that opened the page named a stop, and at most a room. */
  let alone = ['lesson', 'lesson,room', 'room,lesson'].includes([...new URLSearchParams(location.search).keys()].join())

  const stops = computed(() => data.value?.lesson.stops ?? [])
  const title = computed(() => data.value?.lesson.title ?? {})
  const problem = computed(() => data.value?.error ?? null)
  const index = computed(() => stops.value.findIndex(({ id }) => id === routes.route.lesson))
  const stop = computed(() => stops.value[index.value] ?? null)

  /** Set the page up as a stop wants it. */
  function go(to: number, { replace = false } = {}): void {
    const next = stops.value[to]
    if (next === undefined) return
    left.value = next.id
    const route = parseRoute(next.address)
    begin.value = next.begin ? { view: route.view, action: next.begin } : null
    routes.go({ ...route, room: routes.route.room, lesson: next.id }, { replace })
  }

  /** Load the stops. A link that names nothing but a stop sets the page up as the stop wants it. */
  async function open(): Promise<void> {
    await refresh()
    if (alone && index.value >= 0) go(index.value, { replace: true })
    alone = false
  }

  /** Begin the lesson, or go on where it was left. */
  async function start(): Promise<void> {
    if (data.value === null) await refresh()
    go(Math.max(0, stops.value.findIndex(({ id }) => id === left.value)))
  }

  /** Leave the lesson; it goes on at this stop. After the last stop it begins anew. */
  function leave(): void {
    if (index.value === stops.value.length - 1) left.value = null
    begin.value = null
    routes.go({ lesson: null })
  }

  return { stops, title, stop, index, problem, begin, open, go, start, leave }
})
