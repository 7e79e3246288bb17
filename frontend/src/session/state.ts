import type { LifeEnd } from '@/session/company'
import { t } from '@/language/text'
import type { ClassPlayer, EpisodeEnd, EpisodeStart, Playback, WorldInfo } from '@/protocol/messages'

/** What lets others follow a session: its id, and the proof that it is one's own. */
export interface SharedSession { id: string; proof: string }

export interface SessionState {
  sessionId: string | null
  /** The session of this connection, for a room; null while there is none. */
  shared: SharedSession | null
  models: string[]
  model: string | null
  networkType: string | null
  /** The model that is being loaded. */
  loading: string | null
  playing: boolean
  speed: number
  controller: Playback['controller']
  episode: number
  /** The episode on screen is over and the next has not begun. */
  over: LifeEnd | null
  /** How the last finished episode ended. */
  last: EpisodeEnd | null
  /** The world that is played in. */
  world: WorldInfo | null
  /** Why the server refused the last choice of a world. */
  worldError: { message: string; field: string | null } | null
  /** Why the server refused the last command. */
  error: string | null
  /** The life of before the connection, or the reload, could not be gone on with. */
  lost: boolean
  /** Who it is on the class leaderboard. */
  player: ClassPlayer | null
}

/** Return the state before a connection. */
export function initialState(): SessionState {
  return {
    sessionId: null,
    shared: null,
    models: [],
    model: null,
    networkType: null,
    loading: null,
    playing: false,
    speed: 1,
    controller: 'policy',
    episode: 0,
    over: null,
    last: null,
    world: null,
    worldError: null,
    error: null,
    lost: false,
    player: null,
  }
}

/** What the person is to be told, until it is dismissed; null: nothing. */
export function noticeOf({ error, lost }: SessionState): string | null {
  return error ?? (lost ? t('life.lost') : null)
}

/** What the person chose; a new connection is brought to it again. */
export interface DesiredState {
  model: string | null
  /** The world that was chosen, as in the address; null: the model's own. */
  world: string | null
  /** How many agents live together, and whether a place serves one a step; null: as the world says. */
  agents: number | null
  contention: boolean | null
  speed: number
  playing: boolean
  human: boolean
  think: boolean
  /** Stay with the end of each life long enough to read why it failed. */
  lingers: boolean
  /** The recording to replay. */
  recording: string | null
  /** Be on the class leaderboard. */
  joins: boolean
}

/** Return what is desired before anything was chosen. */
export function initialDesires(): DesiredState {
  return {
    model: null,
    world: null,
    agents: null,
    contention: null,
    speed: 1,
    playing: false,
    human: false,
    think: false,
    lingers: false,
    recording: null,
    joins: false,
  }
}

export interface FinishedEpisode {
  /** How it began. */
  start: EpisodeStart['start']
  /** The digest of its world, null for the usual one. */
  world: string | null
  /** The model that played it, null for the untrained agent. */
  model: string | null
  /** Who chose the actions; an episode that changed hands counts for neither. */
  by: 'policy' | 'human' | 'both'
  end: EpisodeEnd
}
