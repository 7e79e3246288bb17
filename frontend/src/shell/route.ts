import { useEventListener } from '@vueuse/core'
import { defineStore } from 'pinia'
import { reactive, readonly, shallowRef } from 'vue'

import { type Own, formatOwn, parseOwn } from '@/compare/own'
import { FIGURE_NAMES, type FigureName, MOST_CHOSEN } from '@/runs/figures'
import { formatStart, parseStart } from '@/session/starts'
import { LONGEST_IN_ADDRESS, parseSpec } from '@/worlds/spec'

export const VIEWS = ['watch', 'compare', 'play', 'train', 'runs', 'replays', 'failures', 'editor', 'lab'] as const
export type ViewName = (typeof VIEWS)[number]

/** What the page's address says: a link shows the same view. */
export interface Route {
  view: ViewName
  /** The model that is watched; null: the server's default. */
  model: string | null
  /** The world that was chosen: a name, or JSON of what differs from the usual world; null: the model's own. */
  world: string | null
  /** How many agents live together, and whether a place serves one a step; null: as the world says. */
  agents: number | null
  contention: boolean | null
  /** Where episodes begin, as `parseStart` reads it; null: at the usual start. */
  start: string | null
  /** Whether Watch shows what the model would do in every cell. */
  policy: boolean
  /** The recording that Watch replays. */
  recording: string | null
  /** The step of that recording; null: its beginning. */
  step: number | null
  /** The models that are compared. */
  models: string[]
  /** What each of their worlds has for itself. */
  own: readonly Own[]
  /** The run whose recordings or failures are listed; null: all runs. */
  ofRun: string | null
  /** The runs whose learning curves are drawn. */
  runs: string[]
  /** What the curves show. */
  figure: FigureName
  /** Episodes of which a curve shows the mean. */
  smooth: number
  /** Whether the seeds of one configuration are one line. */
  seeds: boolean
  speed: number
  heat: boolean
  /** Which visits the heat map of Watch shows. */
  visits: Visits
  think: boolean
  /** The stop of the guided lesson; null: no lesson. */
  lesson: string | null
  /** Whether Watch is laid out for a projector. */
  present: boolean
  /** Whether Play has joined the class leaderboard. */
  join: boolean
  /** The room that one is in with others; null: alone. */
  room: string | null
}

export const VISITS = ['all', 'lives', 'life'] as const
/** Visits since the model came, of the last lives, or of the one on screen. */
export type Visits = (typeof VISITS)[number]

export const MAX_COMPARED = 4
/** Episodes of which a smoothed curve shows the mean, at most. */
export const LONGEST_MEAN = 100

const ROOM = /^(class|[1-9]\d{3})(-[1-9]\d?)?$/

const DEFAULTS: Readonly<Route> = {
  view: 'watch',
  model: null,
  world: null,
  agents: null,
  contention: null,
  start: null,
  policy: false,
  recording: null,
  step: null,
  models: [],
  own: [],
  ofRun: null,
  runs: [],
  figure: 'survival',
  smooth: 10,
  seeds: false,
  speed: 1,
  heat: true,
  visits: 'all',
  think: true,
  lesson: null,
  present: false,
  join: false,
  room: null,
}

/** Return the whole number in a text, if it is within these limits. */
function within(text: string | null, low: number, high: number): number | null {
  const number = Math.trunc(Number(text ?? Number.NaN))
  return number >= low && number <= high ? number : null
}

/** A part of the address that says nothing that is possible. The page goes on without it, and says so. */
export interface UnreadPart {
  part: 'agents' | 'contention' | 'world'
  text: string
}

function isReadable(part: UnreadPart['part'], text: string): boolean {
  if (part !== 'world') return (part === 'agents' ? /^[1-8]$/ : /^[01]$/).test(text)
  return !text.trimStart().startsWith('{') || typeof parseSpec(text) !== 'string'
}

/** Return the parts of an address that cannot be read. */
export function unreadParts(search: string): UnreadPart[] {
  const query = new URLSearchParams(search)
  return (['agents', 'contention', 'world'] as const).flatMap((part) => {
    const text = query.get(part)
    return text !== null && text !== '' && !isReadable(part, text) ? [{ part, text }] : []
  })
}

/** Return a part of the address, null for one that is absent or cannot be read. */
function readable(query: URLSearchParams, part: UnreadPart['part']): string | null {
  const text = query.get(part)
  return text && isReadable(part, text) ? text : null
}

export function parseRoute(search: string): Route {
  const query = new URLSearchParams(search)
  const view = query.get('view')
  const [agents, contention] = [readable(query, 'agents'), readable(query, 'contention')]
  const speed = Number(query.get('speed') ?? DEFAULTS.speed)
  return {
    view: VIEWS.find((name) => name === view) ?? DEFAULTS.view,
    model: query.get('model') || null,
    world: readable(query, 'world'),
    agents: agents === null ? null : Number(agents),
    contention: contention === null ? null : contention === '1',
    start: formatStart(parseStart(query.get('start'))),
    policy: query.get('policy') === '1',
    recording: query.get('recording') || null,
    step: Math.trunc(Number(query.get('step'))) > 0 ? Math.trunc(Number(query.get('step'))) : null,
    models: query.getAll('compare').filter(Boolean).slice(0, MAX_COMPARED),
    own: parseOwn(query.get('own'), MAX_COMPARED),
    ofRun: query.get('of') || null,
    runs: [...new Set(query.getAll('run').filter(Boolean))].slice(0, MOST_CHOSEN),
    figure: FIGURE_NAMES.find((name) => name === query.get('figure')) ?? DEFAULTS.figure,
    smooth: within(query.get('smooth'), 1, LONGEST_MEAN) ?? DEFAULTS.smooth,
    seeds: query.get('seeds') === '1',
    speed: Number.isFinite(speed) && speed > 0 ? Math.min(10, Math.max(0.1, speed)) : DEFAULTS.speed,
    heat: query.get('heat') !== '0',
    visits: VISITS.find((name) => name === query.get('visits')) ?? DEFAULTS.visits,
    think: query.get('think') !== '0',
    lesson: query.get('lesson') || null,
    present: query.get('present') === '1',
    join: query.get('join') === '1',
    room: ROOM.exec(query.get('room') ?? '')?.[0] ?? null,
  }
}

/** Return the query of a link, without what has its default. */
export function formatRoute(route: Route): string {
  const query = new URLSearchParams()
  if (route.view !== DEFAULTS.view) query.set('view', route.view)
  if (route.model !== null) query.set('model', route.model)
  if (route.world !== null && route.world.length <= LONGEST_IN_ADDRESS) query.set('world', route.world)
  // In Play a person lives alone.
  if (route.agents !== null && route.view !== 'play') query.set('agents', String(route.agents))
  if (route.contention !== null && route.view !== 'play') query.set('contention', route.contention ? '1' : '0')
  if (route.start !== null) query.set('start', route.start)
  if (route.policy) query.set('policy', '1')
  if (route.recording !== null && route.view === 'watch') {
    query.set('recording', route.recording)
    if (route.step !== null) query.set('step', String(route.step))
  }
  for (const model of route.models) query.append('compare', model)
  const own = formatOwn(route.own)
  if (own !== null && route.view === 'compare') query.set('own', own)
  if (route.ofRun !== null && (route.view === 'replays' || route.view === 'failures')) query.set('of', route.ofRun)
  if (route.view === 'runs' || route.view === 'lab') for (const run of route.runs) query.append('run', run)
  if (route.view === 'runs') {
    if (route.figure !== DEFAULTS.figure) query.set('figure', route.figure)
    if (route.smooth !== DEFAULTS.smooth) query.set('smooth', String(route.smooth))
    if (route.seeds) query.set('seeds', '1')
  }
  if (route.speed !== DEFAULTS.speed) query.set('speed', String(route.speed))
  if (!route.heat) query.set('heat', '0')
  if (route.visits !== DEFAULTS.visits) query.set('visits', route.visits)
  if (route.room !== null) query.set('room', route.room)
  if (!route.think) query.set('think', '0')
  if (route.lesson !== null) query.set('lesson', route.lesson)
  if (route.present && route.view === 'watch') query.set('present', '1')
  if (route.join && route.view === 'play') query.set('join', '1')
  const text = query.toString()
  return text === '' ? '' : `?${text}`
}

export const useRoute = defineStore('route', () => {
  const route = reactive(parseRoute(location.search))
  /** What the address that was opened says and the page could not read. */
  const unread = shallowRef<readonly UnreadPart[]>(unreadParts(location.search))
  /** The model that each view showed last: a view that is left keeps its session. */
  const lastModels = new Map<ViewName, string | null>()

  /** Change the address. Another view is a new entry of the browser's history, unless it is to `replace` the current one, as all else does. */
  function go(change: Partial<Route>, { replace = false } = {}): void {
    const entry = change.view !== undefined && change.view !== route.view
    if (entry) lastModels.set(route.view, route.model)
    Object.assign(route, entry ? { model: modelOf(change.view ?? route.view) } : {}, change)
    const address = location.pathname + formatRoute(route)
    if (entry && !replace) history.pushState(null, '', address)
    else history.replaceState(null, '', address)
  }

  /** Return the address of a view, for a link. */
  function linkTo(view: ViewName, change: Partial<Route> = {}): string {
    return formatRoute({ ...route, model: modelOf(view), ...change, view }) || location.pathname
  }

  function modelOf(view: ViewName): string | null {
    return view === route.view || !lastModels.has(view) ? route.model : (lastModels.get(view) ?? null)
  }

  useEventListener(window, 'popstate', () => {
    Object.assign(route, parseRoute(location.search))
    unread.value = unreadParts(location.search)
  })

  return { route: readonly(route) as Readonly<Route>, unread, go, linkTo }
})
