import { type ShallowRef, shallowRef } from 'vue'
import { told } from '@/language/server'
import { t } from '@/language/text'

/** The server refused (RFC 9457), or could not be reached (`status` 0). */
export class HttpProblem extends Error {
  constructor(
    message: string,
    readonly status: number,
    readonly code: string | null,
    /** Seconds to wait before the next attempt, where the server said so. */
    readonly retryAfter: number | null = null,
    /** The field of the request that is not allowed, such as `affordances.Bed.x`. */
    readonly field: string | null = null,
  ) {
    super(message)
    this.name = 'HttpProblem'
  }
}

/** Return an address of the server that served this page, also where it is served under a path. */
export function serverUrl(path: string, query: Record<string, string> = {}, base: string = document.baseURI): URL {
  const url = new URL(path, base)
  url.search = new URLSearchParams(query).toString()
  url.hash = ''
  return url
}

/** Return the same for a WebSocket: wss under https. */
export function socketUrl(path: string, base: string = document.baseURI): string {
  const url = serverUrl(path, {}, base)
  url.protocol = url.protocol === 'https:' ? 'wss:' : 'ws:'
  return url.href
}

interface RequestOptions {
  method?: 'GET' | 'POST' | 'PUT' | 'DELETE'
  query?: Record<string, string>
  /** Sent as JSON; text is sent as it is. */
  body?: object | string
  headers?: Record<string, string>
  signal?: AbortSignal
  /** Gets the headers of an answer that is a success. */
  answered?(headers: Headers): void
}

/**
 * Ask the server, and read the JSON of its answer (null where it is empty). Raises `HttpProblem` for anything
 * but success, and the browser's own error where `signal` aborted.
 */
export async function request<T>(path: string, options: RequestOptions = {}): Promise<T> {
  const { method = 'GET', query, body, signal } = options
  const headers = { accept: 'application/json', ...(body && { 'content-type': 'application/json' }), ...options.headers }
  let response: Response
  try {
    response = await fetch(serverUrl(path, query), {
      method, headers, cache: 'no-store', ...(body && { body: typeof body === 'string' ? body : JSON.stringify(body) }), ...(signal && { signal }),
    })
  } catch (error) {
    if (signal?.aborted) throw error
    throw new HttpProblem(t('common.unreachable'), 0, null)
  }
  if (!response.ok) throw await problemOf(response)
  options.answered?.(response.headers)
  const text = await response.text()
  return (text === '' ? null : JSON.parse(text)) as T
}

async function problemOf(response: Response): Promise<HttpProblem> {
  const fallback = t('common.answered', { status: `${response.status} ${response.statusText}`.trim() })
  const after = Number(response.headers.get('retry-after')) || null
  const isJson = (response.headers.get('content-type') ?? '').includes('json')
  const { detail, title, code, field } = isJson
    ? ((await response.json()) as { detail?: string; title?: string; code?: string; field?: string })
    : {}
  return new HttpProblem(told(detail ?? title ?? fallback, code, { field }), response.status, code ?? null, after, field ?? null)
}

/** A document of the server and how loading it went; `absent` is a 404: this server has no such route. */
export interface Resource<T> {
  /** The newest answer; a later failure leaves it. */
  data: ShallowRef<T | null>
  status: ShallowRef<'loading' | 'ready' | 'absent' | 'failed'>
  /** Why the last attempt failed. */
  problem: ShallowRef<string | null>
  /** Ask again; the answer to an earlier request that is still on its way is dropped. */
  refresh(): Promise<void>
}

/** Hold what `load` answers. Nothing is loaded before the first `refresh`. */
export function useResource<T>(load: (signal: AbortSignal) => Promise<T>): Resource<T> {
  const data: Resource<T>['data'] = shallowRef(null)
  const status: Resource<T>['status'] = shallowRef('loading')
  const problem: Resource<T>['problem'] = shallowRef(null)
  let controller: AbortController | null = null

  async function refresh(): Promise<void> {
    controller?.abort()
    const { signal } = (controller = new AbortController())
    try {
      const answer = await load(signal)
      if (signal.aborted) return
      data.value = answer
      status.value = 'ready'
      problem.value = null
    } catch (error) {
      if (signal.aborted) return
      if (!(error instanceof HttpProblem)) throw error
      status.value = error.status === 404 ? 'absent' : 'failed'
      problem.value = error.message
    }
  }

  return { data, status, problem, refresh }
}
