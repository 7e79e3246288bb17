/** The server said no, in its own words (RFC 9457), or could not be reached (`status` 0). */
export class HttpProblem extends Error {
  constructor(
    message: string,
    readonly status: number,
    readonly code: string | null,
    /** Seconds after which it may be asked again, where the server said so. */
    readonly retryAfter: number | null = null,
  ) {
    super(message)
    this.name = 'HttpProblem'
  }
}

/** An address of the server that served this page, also where it is served under a path. */
export function serverUrl(path: string, base: string = document.baseURI): URL {
  const url = new URL(path, base)
  url.search = ''
  url.hash = ''
  return url
}

/** The same for a WebSocket: wss under https. */
export function socketUrl(path: string, base: string = document.baseURI): string {
  const url = serverUrl(path, base)
  url.protocol = url.protocol === 'https:' ? 'wss:' : 'ws:'
  return url.href
}

interface Question {
  query?: Record<string, string>
  /** Sent as JSON. */
  body?: object
  signal?: AbortSignal
}

/** GET a JSON document; raises `HttpProblem` for anything else. */
export async function getJson<T>(
  path: string,
  query: Record<string, string> = {},
  signal?: AbortSignal,
): Promise<T> {
  return (await ask('GET', path, signal ? { query, signal } : { query })).json() as Promise<T>
}

/** POST a JSON document, or only an address, and read the answer's; raises `HttpProblem` for anything but success. */
export async function postJson<T>(path: string, question: Omit<Question, 'signal'>): Promise<T> {
  return (await ask('POST', path, question)).json() as Promise<T>
}

/** DELETE; raises `HttpProblem` where it was refused. */
export async function remove(path: string, query: Record<string, string> = {}): Promise<void> {
  await ask('DELETE', path, { query })
}

async function ask(method: string, path: string, { query, body, signal }: Question): Promise<Response> {
  const url = serverUrl(path)
  for (const [name, value] of Object.entries(query ?? {})) url.searchParams.set(name, value)
  let response: Response
  try {
    response = await fetch(url, {
      method,
      headers: { accept: 'application/json', ...(body ? { 'content-type': 'application/json' } : {}) },
      cache: 'no-store',
      ...(body ? { body: JSON.stringify(body) } : {}),
      ...(signal ? { signal } : {}),
    })
  } catch (error) {
    if (signal?.aborted) throw error
    throw new HttpProblem('The server cannot be reached.', 0, null)
  }
  if (!response.ok) throw await problemOf(response)
  return response
}

async function problemOf(response: Response): Promise<HttpProblem> {
  const fallback = `The server answered ${response.status} ${response.statusText}`.trim()
  const type = response.headers.get('content-type') ?? ''
  const after = Number(response.headers.get('retry-after')) || null
  if (!type.includes('json')) return new HttpProblem(fallback, response.status, null, after)
  const body = (await response.json()) as { detail?: string; title?: string; code?: string }
  return new HttpProblem(body.detail ?? body.title ?? fallback, response.status, body.code ?? null, after)
}
