import { useDocumentVisibility, useIntervalFn } from '@vueuse/core'
import { defineStore } from 'pinia'
import { computed, watch } from 'vue'

import { request, serverUrl, useResource } from '@/common/http'
import type { ClassPlayer, ClassResponse } from '@/protocol/messages'
import { type Route, formatRoute, parseRoute } from '@/shell/route'

const REFRESH_MS = 2500

/** Return the address of this page that others can open; null while they cannot reach this page's host. */
export function addressForOthers(page: URL, host: string | null, route: Partial<Route>): string | null {
  const address = new URL(page)
  const local = ['localhost', '[::1]'].includes(page.hostname) || page.hostname.startsWith('127.')
  if (local && host === null) return null
  if (local && host !== null) address.hostname = host
  address.search = formatRoute({ ...parseRoute(''), ...route })
  address.hash = ''
  return address.href
}

/** Return whether two players are the same one. */
export function isSame(one: ClassPlayer, other: ClassPlayer | null): boolean {
  return one.animal === other?.animal && one.colour === other.colour
}

/** The class leaderboard of the server. */
export const useClass = defineStore('class', () => {
  const { data, status, problem, refresh } = useResource((signal) => request<ClassResponse>('api/class', { signal }))
  const players = computed(() => data.value?.players ?? [])
  const here = computed(() => data.value?.here ?? 0)
  const address = computed(() => addressOf({ view: 'play', join: true }))

  /** Return the address of a view that others can open; null while it is not known, or they cannot reach it. */
  function addressOf(route: Partial<Route>): string | null {
    return data.value === null ? null : addressForOthers(serverUrl(''), data.value.host, route)
  }

  /** Begin anew, for everybody. Raises `HttpProblem` where this login may not. */
  async function restart(): Promise<void> {
    await request<null>('api/class', { method: 'DELETE' })
    await refresh()
  }

  return { status, problem, players, here, address, addressOf, refresh, restart }
})

/** Keep the leaderboard new while `shown()` and the page is in sight. */
export function useFreshClass(shown: () => boolean): void {
  const board = useClass()
  const visibility = useDocumentVisibility()
  function refresh(): void {
    if (shown() && visibility.value === 'visible') void board.refresh()
  }
  useIntervalFn(refresh, REFRESH_MS)
  watch(() => [shown(), visibility.value], refresh, { immediate: true })
}
