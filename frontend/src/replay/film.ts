import { shallowReactive } from 'vue'

import { HttpProblem, getJson, postJson, remove, serverUrl } from '@/common/http'

export const FILM_FORMATS = ['mp4', 'webm', 'gif'] as const
export type FilmFormat = (typeof FILM_FORMATS)[number]

/** What the server says of a film. */
export interface Film {
  recording: string
  format: FilmFormat
  speed: number
  state: 'waiting' | 'making' | 'ready' | 'failed'
  /** Frames drawn, of so many. */
  made: number
  of: number
  size_bytes: number | null
  error: string | null
}

export interface FilmState {
  film: Film | null
  /** Why there is none, in the server's words. */
  problem: string | null
}

const ASK_MS = 700

/** One film of one recording, from asking for it to its file. The server gives up one that nobody asks about. */
export class FilmMaker {
  readonly state: FilmState = shallowReactive<FilmState>({ film: null, problem: null })

  private readonly path: string
  private readonly query: Record<string, string>
  private asking: ReturnType<typeof setTimeout> | null = null
  private over = false

  constructor(recording: string, format: FilmFormat, speed: number) {
    this.path = `api/recordings/${encodeURIComponent(recording)}/film`
    this.query = { format, speed: String(speed) }
    void this.follow(postJson<Film>(this.path, { query: this.query }))
  }

  /** Where the finished film is. */
  get address(): string {
    const url = serverUrl(`${this.path}/file`)
    for (const [name, value] of Object.entries(this.query)) url.searchParams.set(name, value)
    return url.href
  }

  /** Give the film up; one that is finished stays where it is. */
  async cancel(): Promise<void> {
    if (this.over) return
    this.end()
    try {
      await remove(this.path, this.query)
    } catch (error) {
      // One that nobody asks about any more ends by itself.
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
    this.asking = setTimeout(() => { void this.follow(getJson<Film>(this.path, this.query)) }, ASK_MS)
  }
}
