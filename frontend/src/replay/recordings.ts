import { defineStore } from 'pinia'
import { reactive, shallowRef } from 'vue'

import { HttpProblem, getJson } from '@/common/http'
import type { RecordingInfo } from '@/protocol/messages'

/** One file of the folder; a damaged one has an error in place of its facts. */
export interface KeptRecording {
  recording: string
  size_bytes: number
  info: RecordingInfo | null
  error: string | null
}

interface Answer {
  recordings: KeptRecording[]
  total: number
}

export type RecordingsStatus = 'loading' | 'ready' | 'absent' | 'failed'

const PAGE = 30

/** The episodes that the server has kept, newest first. */
export const useRecordings = defineStore('recordings', () => {
  const filters = reactive({ source: '', model: '', reason: '' })
  const recordings = shallowRef<KeptRecording[]>([])
  const total = shallowRef(0)
  const status = shallowRef<RecordingsStatus>('loading')
  const problem = shallowRef('')
  let asking: AbortController | null = null

  /** Ask anew; an answer to an earlier question is dropped. */
  async function refresh(): Promise<void> {
    await ask(0)
  }

  /** The next of them too. */
  async function more(): Promise<void> {
    await ask(recordings.value.length)
  }

  async function ask(offset: number): Promise<void> {
    asking?.abort()
    const { signal } = (asking = new AbortController())
    const chosen = Object.fromEntries(Object.entries(filters).filter(([, value]) => value !== ''))
    try {
      const answer = await getJson<Answer>(
        'api/recordings', { ...chosen, limit: String(PAGE), offset: String(offset) }, signal,
      )
      recordings.value = [...recordings.value.slice(0, offset), ...answer.recordings]
      total.value = answer.total
      status.value = 'ready'
    } catch (error) {
      if (signal.aborted) return
      if (!(error instanceof HttpProblem)) throw error
      status.value = error.status === 404 ? 'absent' : 'failed'
      problem.value = error.message
    }
  }

  return { filters, recordings, total, status, problem, refresh, more }
})
