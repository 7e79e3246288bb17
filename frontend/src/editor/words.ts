import type { Config, Place } from '@/editor/config'
import { same } from '@/editor/config'
import { shownType } from '@/editor/edits'
import { METERS, formatSigned } from '@/world/meters'
import { placeKind } from '@/world/labels'
import { n, t } from '@/language/text'

/** The weights of each reward that the editor has sentences for. */
export const WEIGHTS = {
  shaped: ['interaction_scale', 'proximity_scale', 'hunger_scale'],
  survival: ['per_step', 'low_penalty', 'severe_penalty'],
} as const

export function nameOf(place: Place): string {
  return place.name === shownType(place) ? placeKind(place.name).label : place.name
}

/** Return a cell in words, counted from one. */
export function cellWords(x: number, y: number): string {
  return t('editor.cell', { column: x + 1, row: y + 1 })
}

/** Return what a visit costs or earns, in words. */
export function priceWords(money: number): string {
  if (money < 0) return t('editor.price.costs', { money: -money })
  return money > 0 ? t('editor.price.earns', { money }) : t('editor.price.free')
}

/** Say in sentences how a world differs from the usual one. */
export function differences(usual: Config, own: Config): string[] {
  const said = [...grid(usual, own), ...places(usual, own), ...meters(usual, own), ...reward(usual, own)]
  const rest = Object.keys(own).filter((field) => !TOLD.includes(field) && !same(own[field], usual[field]))
  return [...said, ...rest.map((field) => t('editor.differs.field', { field: field.replaceAll('_', ' ') }))]
}

const TOLD: readonly string[] = [
  'width', 'height', 'start', 'max_steps', 'meters', 'affordances', 'meals', 'reward', 'end_penalty', 'shaped', 'survival',
]

function grid(usual: Config, own: Config): string[] {
  const said: string[] = []
  if (own.width !== usual.width || own.height !== usual.height) {
    said.push(t('editor.differs.size', { width: own.width, height: own.height, usualWidth: usual.width, usualHeight: usual.height }))
  }
  if (!same(own.start, usual.start)) said.push(t('editor.differs.start', { cell: cellWords(...own.start) }))
  if (own.max_steps !== usual.max_steps) said.push(t('editor.differs.max_steps', { steps: own.max_steps, usual: usual.max_steps }))
  return said
}

function places(usual: Config, own: Config): string[] {
  const known = new Map(usual.affordances.map((place) => [place.name, place]))
  const mine = new Set(own.affordances.map(({ name }) => name))
  const gone = usual.affordances.filter(({ name }) => !mine.has(name))
  const said = gone.map((one) => t('editor.differs.gone', { place: nameOf(one) }))
  for (const one of own.affordances) {
    const before = known.get(one.name)
    const place = nameOf(one)
    const cell = cellWords(one.x, one.y)
    if (before === undefined) {
      said.push(t('editor.differs.placed', { place, cell, price: priceWords(one.effects.money) }))
      continue
    }
    if (one.x !== before.x || one.y !== before.y) {
      said.push(t('editor.differs.moved', { place, cell, usual: cellWords(before.x, before.y) }))
    }
    if (one.effects.money !== before.effects.money) {
      said.push(t('editor.differs.price', { place, price: priceWords(one.effects.money), usual: priceWords(before.effects.money) }))
    }
    if (one.tired_money !== before.tired_money && one.tired_money !== null) {
      said.push(t('editor.differs.tired', { place, money: one.tired_money, usual: before.tired_money ?? t('editor.differs.tiredSame') }))
    }
    for (const { name: meter, label } of METERS) {
      if (meter === 'money' || one.effects[meter] === before.effects[meter]) continue
      const [change, usually] = [one, before].map(({ effects }) => formatSigned(effects[meter], true, 2))
      said.push(t('editor.differs.effect', { place, meter: label, change: change ?? '', usual: usually ?? '' }))
    }
  }
  return said
}

function meters(usual: Config, own: Config): string[] {
  return own.meters.flatMap((one, index) => {
    const before = usual.meters[index]
    const meter = METERS.find(({ name }) => name === one.name)?.label ?? one.name
    if (before === undefined) return []
    const said: string[] = []
    if (one.start !== before.start) said.push(t('editor.differs.meterStart', { meter, value: one.start, usual: before.start }))
    if (one.drain !== before.drain) said.push(t('editor.differs.meterDrain', { meter, value: exact(one.drain), usual: exact(before.drain) }))
    if (one.minimum !== before.minimum || one.maximum !== before.maximum) {
      said.push(t('editor.differs.meterRange', { meter, low: one.minimum, high: one.maximum }))
    }
    if (one.random_low !== before.random_low || one.random_high !== before.random_high) {
      said.push(t('editor.differs.meterRandom', { meter, low: one.random_low, high: one.random_high }))
    }
    return said
  })
}

function reward(usual: Config, own: Config): string[] {
  const said: string[] = []
  if (own.reward !== usual.reward) said.push(own.reward === 'survival' ? t('editor.differs.survival') : t('editor.differs.shaped'))
  for (const kind of ['shaped', 'survival'] as const) {
    const known: readonly string[] = WEIGHTS[kind]
    for (const weight of WEIGHTS[kind]) {
      const [value, usually] = [Number(own[kind][weight]), Number(usual[kind][weight])]
      if (value !== usually) said.push(t('editor.differs.weight', { weight: t(`editor.weight.${weight}`), value, usual: usually }))
    }
    for (const field of Object.keys(own[kind])) {
      if (known.includes(field) || same(own[kind][field], usual[kind][field])) continue
      said.push(t(`editor.differs.${kind}Field`, { field: field.replaceAll('_', ' ') }))
    }
  }
  if (own.end_penalty !== usual.end_penalty) {
    said.push(t('editor.differs.endPenalty', { value: own.end_penalty, usual: usual.end_penalty }))
  }
  return said
}

/** Return a small number with all its digits. */
function exact(value: number): string {
  return n(value, { maximumSignificantDigits: 10 })
}
