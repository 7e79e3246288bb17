import type { IconName } from '@/common/icons'
import { capitalised, counted } from '@/common/text'
import type { AgentMarker, EpisodeEnd, Marker } from '@/protocol/messages'

export type ActionName = Exclude<AgentMarker['last_action'], ''>

/** In the order of the wire's action numbers. */
export const ACTIONS: readonly { name: ActionName; label: string; icon: IconName }[] = [
  { name: 'up', label: 'Up', icon: 'arrow-up' },
  { name: 'down', label: 'Down', icon: 'arrow-down' },
  { name: 'left', label: 'Left', icon: 'arrow-left' },
  { name: 'right', label: 'Right', icon: 'arrow-right' },
  { name: 'interact', label: 'Interact', icon: 'interact' },
]

export interface PlaceKind {
  label: string
  icon: IconName
  /** What a visit improves, in two or three words. */
  purpose: string
}

const PLACES: Readonly<Record<string, PlaceKind>> = {
  Bed: { label: 'Bed', icon: 'bed', purpose: 'for energy' },
  Shower: { label: 'Shower', icon: 'shower', purpose: 'for hygiene' },
  HomeMeal: { label: 'Home meal', icon: 'meal', purpose: 'for satiation' },
  FastFood: { label: 'Fast food', icon: 'burger', purpose: 'for satiation' },
  Job: { label: 'Job', icon: 'briefcase', purpose: 'for money' },
  Gym: { label: 'Gym', icon: 'dumbbell', purpose: 'for mood' },
  Bar: { label: 'Bar', icon: 'glass', purpose: 'for company' },
  Recreation: { label: 'Recreation', icon: 'tree', purpose: 'for mood' },
}

/** Return what is shown of a place; one without a picture is drawn under its own name. */
export function placeKind(type: string): PlaceKind {
  return PLACES[type] ?? { label: type, icon: 'place', purpose: 'a place of this world' }
}

/** Columns of a grid whose cells have room for names in a view of usual size. */
export const NAMED_COLUMNS = 10

/** Return a place's own name, or else that of its type. */
export function placeName(place: { type: string; label?: string | undefined }): string {
  return place.label ?? placeKind(place.type).label
}

const FAILURES: Readonly<Record<string, string>> = {
  energy_depleted: 'Energy ran out',
  hygiene_depleted: 'Hygiene ran out',
  satiation_depleted: 'It starved',
  mood_depleted: 'Mood collapsed',
  bankrupt: 'Money ran out',
}

export function failureLabel(reason: string): string {
  return FAILURES[reason] ?? capitalised(reason.replaceAll('_', ' '))
}

/** Return why an episode ended, in words. */
export function endingLabel(end: Pick<EpisodeEnd, 'reason' | 'failure_reason'>): string {
  switch (end.reason) {
    case 'max_steps':
      return 'Survived to the last step'
    case 'reset':
      return 'Reset'
    case 'model_changed':
      return 'Another model was loaded'
    case 'meter_depleted':
      return failureLabel(end.failure_reason ?? 'a meter ran out')
  }
}

/** Return a mark of an episode's timeline in words. */
export function markerLabel(marker: Marker): string {
  switch (marker.kind) {
    case 'interaction':
      return `${placeKind(marker.what).label} used${marker.count > 1 ? ` ${counted(marker.count, 'time')}` : ''}`
    case 'critical':
      return `${capitalised(marker.what)} turned critical`
    case 'end':
      return marker.what === 'max_steps' ? 'Survived to the last step' : failureLabel(marker.what)
  }
}
