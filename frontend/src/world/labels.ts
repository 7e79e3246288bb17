import type { IconName } from '@/common/icons'
import { capitalised } from '@/common/text'
import type { TextPath } from '@/language/message'
import { t } from '@/language/text'
import type { AgentMarker, EpisodeEnd, Marker } from '@/protocol/messages'
import { METERS } from '@/world/meters'

export type ActionName = Exclude<AgentMarker['last_action'], ''>

export interface Action {
  name: ActionName
  /** In the reader's language. */
  readonly label: string
  icon: IconName
}

/** In the order of the wire's action numbers. */
export const ACTIONS: readonly Action[] = ([
  { name: 'up', icon: 'arrow-up' },
  { name: 'down', icon: 'arrow-down' },
  { name: 'left', icon: 'arrow-left' },
  { name: 'right', icon: 'arrow-right' },
  { name: 'interact', icon: 'interact' },
] as const).map((action) => ({ ...action, get label() { return t(`world.action.${action.name}`) } }))

export interface PlaceKind {
  label: string
  icon: IconName
  /** What a visit improves, in two or three words. */
  purpose: string
}

const PLACE_ICONS = {
  Bed: 'bed',
  Shower: 'shower',
  HomeMeal: 'meal',
  FastFood: 'burger',
  Job: 'briefcase',
  Gym: 'dumbbell',
  Bar: 'glass',
  Recreation: 'tree',
} as const satisfies Record<string, IconName>

/** Return what is shown of a place; one without a picture is drawn under its own name. */
export function placeKind(type: string): PlaceKind {
  if (!(type in PLACE_ICONS)) return { label: type, icon: 'place', purpose: t('world.purpose.unknown') }
  const known = type as keyof typeof PLACE_ICONS
  return { label: t(`world.place.${known}`), icon: PLACE_ICONS[known], purpose: t(`world.purpose.${known}`) }
}

/** Columns of a grid whose cells have room for names in a view of usual size. */
export const NAMED_COLUMNS = 10

/** Return a place's own name, or else that of its type. */
export function placeName(place: { type: string; label?: string | undefined }): string {
  return place.label ?? placeKind(place.type).label
}

const FAILURES: Readonly<Record<string, TextPath>> = {
  energy_depleted: 'world.failure.energy_depleted',
  hygiene_depleted: 'world.failure.hygiene_depleted',
  satiation_depleted: 'world.failure.satiation_depleted',
  mood_depleted: 'world.failure.mood_depleted',
  bankrupt: 'world.failure.bankrupt',
}

/** Return why an agent failed, in words; a reason of a world of one's own keeps its name. */
export function failureLabel(reason: string): string {
  const path = FAILURES[reason]
  return path ? t(path) : capitalised(reason.replaceAll('_', ' '))
}

/** Return why an episode ended, in words. */
export function endingLabel(end: Pick<EpisodeEnd, 'reason' | 'failure_reason'>): string {
  if (end.reason !== 'meter_depleted') return t(`world.ending.${end.reason}`)
  return end.failure_reason === null ? t('world.failure.any') : failureLabel(end.failure_reason)
}

/** Return a mark of an episode's timeline in words. */
export function markerLabel(marker: Marker): string {
  switch (marker.kind) {
    case 'interaction':
      return t('world.marker.used', { place: placeKind(marker.what).label, count: marker.count })
    case 'critical':
      return t('world.marker.critical', {
        meter: METERS.find(({ name }) => name === marker.what)?.label ?? capitalised(marker.what),
      })
    case 'end':
      return marker.what === 'max_steps' ? t('world.ending.max_steps') : failureLabel(marker.what)
  }
}
