import { defineStore } from 'pinia'
import { computed, reactive } from 'vue'

import { request, useResource } from '@/common/http'
import type { ListedRecording, RecordingsResponse } from '@/protocol/messages'
import { useRoute } from '@/shell/route'

const PAGE = 30

/** The server's recordings, newest first, loaded page by page. */
export const useRecordings = defineStore('recordings', () => {
  const routes = useRoute()
  const filters = reactive({ source: '', model: '', reason: '' })
  let offset = 0

  const { data, status, problem, refresh: load } = useResource(async (signal): Promise<RecordingsResponse> => {
    const shown = recordings.value.slice(0, offset)
    const given = { ...filters, run: routes.route.ofRun ?? '' }
    const chosen = Object.fromEntries(Object.entries(given).filter(([, value]) => value !== ''))
    const query = { ...chosen, limit: String(PAGE), offset: String(offset) }
    const list = await request<RecordingsResponse>('api/recordings', { query, signal })
    return { ...list, recordings: [...shown, ...list.recordings] }
  })
  const recordings = computed<ListedRecording[]>(() => data.value?.recordings ?? [])
  const total = computed(() => data.value?.total ?? 0)

  async function refresh(): Promise<void> {
    offset = 0
    await load()
  }

  /** Load the next page too. */
  async function more(): Promise<void> {
    offset = recordings.value.length
    await load()
  }

  return { filters, recordings, total, status, problem, refresh, more }
})
