import { shallowReactive } from 'vue'

import { HttpProblem, request, serverUrl } from '@/common/http'
import type { Film } from '@/protocol/messages'

export interface FilmState {
  film: Film | null
  /** Why the film failed, in the server's words. */
  problem: string | null
}

const ASK_MS = 700

/** Have the server make one film of a recording, and follow its progress. The server drops a film that nobody asks about. */
export class FilmMaker {
  readonly state: FilmState = shallowReactive<FilmState>({ film: null, problem: null })

  private readonly path: string
  private readonly query: Record<string, string>
  private asking: ReturnType<typeof setTimeout> | null = null
  private over = false

  /**
   * `agent` is the one of several that the film follows; null: it shows all alike.
   * It is ordered once `cancelled` is done: else the end of the same film before it would end this one.
   */
  constructor(recording: string, format: Film['format'], speed: number, agent: Film['agent'] = null, cancelled?: Promise<void>) {
    this.path = `api/recordings/${encodeURIComponent(recording)}/film`
    this.query = { format, speed: String(speed), ...(agent !== null && { agent }) }
    void this.follow(Promise.resolve(cancelled).then(() => request<Film>(this.path, { method: 'POST', query: this.query })))
  }

  /** The address of the finished film. */
  get address(): string {
    return serverUrl(`${this.path}/file`, this.query).href
  }

  /** Cancel the film; a finished one stays. */
  async cancel(): Promise<void> {
    if (this.over) return
    this.end()
    try {
      await request(this.path, { method: 'DELETE', query: this.query })
    } catch (error) {
      // A film that nobody asks about ends by itself.
      if (!(error instanceof HttpProblem)) throw error
    }
  }

  private end(): void {
    this.over = true
    if (this.asking !== null) clearTimeout(this.asking)
  }

  private async follow(answer: Promise<Film>): Promise<void> {
    let film: Film
    try {
      film = await answer
    } catch (error) {
      if (!(error instanceof HttpProblem)) throw error
      if (!this.over) this.state.problem = error.message
      this.end()
      return
    }
    if (this.over) return
    this.state.film = film
    if (film.state === 'ready' || film.state === 'failed') {
      this.state.problem = film.error
      this.end()
      return
    }
    this.asking = setTimeout(() => { void this.follow(request<Film>(this.path, { query: this.query })) }, ASK_MS)
  }
}
