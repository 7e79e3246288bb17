import type { Config, Place } from '@/editor/config'
import { same } from '@/editor/config'
import { shownType } from '@/editor/edits'
import { METERS, formatSigned } from '@/world/meters'
import { placeKind } from '@/world/labels'

/** The weights of the reward that the editor has sentences for. */
export const WEIGHTS = [
  { field: 'interaction_scale', says: 'Using a place when it is needed is rewarded by' },
  { field: 'proximity_scale', says: 'Being near the place of the emptiest meter is rewarded, at each step, by up to' },
  { field: 'hunger_scale', says: 'Being hungry and far from a meal costs, at each step, up to' },
] as const

export function nameOf(place: Place): string {
  return place.name === shownType(place) ? placeKind(place.name).label : place.name
}

function cell(x: number, y: number): string {
  return `column ${x + 1}, row ${y + 1}`
}

/** Return what a visit costs or earns, in words. */
export function priceWords(money: number): string {
  if (money < 0) return `costs ${-money}`
  return money > 0 ? `earns ${money}` : 'is free'
}

/** Say in sentences how a world differs from the usual one. */
export function differences(usual: Config, own: Config): string[] {
  const said = [...grid(usual, own), ...places(usual, own), ...meters(usual, own), ...reward(usual, own)]
  const rest = Object.keys(own).filter((field) => !TOLD.includes(field) && !same(own[field], usual[field]))
  return [...said, ...rest.map((field) => `Also changed: ${field.replaceAll('_', ' ')}.`)]
}

const TOLD: readonly string[] = [
  'width', 'height', 'start', 'max_steps', 'meters', 'affordances', 'meals', 'reward', 'end_penalty', 'shaped',
]

function grid(usual: Config, own: Config): string[] {
  const said: string[] = []
  if (own.width !== usual.width || own.height !== usual.height) {
    said.push(`The grid has ${own.width} by ${own.height} cells, not ${usual.width} by ${usual.height}.`)
  }
  if (!same(own.start, usual.start)) said.push(`The agent starts in ${cell(...own.start)}.`)
  if (own.max_steps !== usual.max_steps) said.push(`An episode has at most ${own.max_steps} steps, not ${usual.max_steps}.`)
  return said
}

function places(usual: Config, own: Config): string[] {
  const known = new Map(usual.affordances.map((place) => [place.name, place]))
  const mine = new Set(own.affordances.map(({ name }) => name))
  const said = usual.affordances.filter(({ name }) => !mine.has(name)).map((place) => `There is no ${nameOf(place)}.`)
  for (const place of own.affordances) {
    const before = known.get(place.name)
    const name = nameOf(place)
    if (before === undefined) {
      said.push(`There is a new place, ${name}, in ${cell(place.x, place.y)}; it ${priceWords(place.effects.money)}.`)
      continue
    }
    if (place.x !== before.x || place.y !== before.y) said.push(`${name} is in ${cell(place.x, place.y)}, not ${cell(before.x, before.y)}.`)
    if (place.effects.money !== before.effects.money) {
      said.push(`${name} ${priceWords(place.effects.money)}; usually it ${priceWords(before.effects.money)}.`)
    }
    if (place.tired_money !== before.tired_money && place.tired_money !== null) {
      said.push(`${name} pays ${place.tired_money} to the tired, not ${before.tired_money ?? 'the same'}.`)
    }
    for (const { name: meter, label } of METERS) {
      if (meter === 'money' || place.effects[meter] === before.effects[meter]) continue
      said.push(`${name}: ${label.toLowerCase()} ${formatSigned(place.effects[meter], true, 2)}, not ${formatSigned(before.effects[meter], true, 2)}.`)
    }
  }
  return said
}

function meters(usual: Config, own: Config): string[] {
  return own.meters.flatMap((meter, index) => {
    const before = usual.meters[index]
    const label = METERS.find(({ name }) => name === meter.name)?.label ?? meter.name
    if (before === undefined) return []
    const said: string[] = []
    if (meter.start !== before.start) said.push(`${label} starts at ${meter.start}, not ${before.start}.`)
    if (meter.drain !== before.drain) said.push(`${label} falls by ${meter.drain} a step, not ${before.drain}.`)
    if (meter.minimum !== before.minimum || meter.maximum !== before.maximum) said.push(`${label} goes from ${meter.minimum} to ${meter.maximum}.`)
    if (meter.random_low !== before.random_low || meter.random_high !== before.random_high) {
      said.push(`At random starts, ${label.toLowerCase()} is ${meter.random_low} to ${meter.random_high} of its range.`)
    }
    return said
  })
}

function reward(usual: Config, own: Config): string[] {
  const said: string[] = []
  if (own.reward !== usual.reward) said.push(own.reward === 'survival' ? 'The reward is for surviving alone.' : 'The reward is the shaped one.')
  for (const { field, says } of WEIGHTS) {
    if (own.shaped[field] !== usual.shaped[field]) said.push(`${says} ${String(own.shaped[field])}, not ${String(usual.shaped[field])}.`)
  }
  if (own.end_penalty !== usual.end_penalty) said.push(`An ending costs ${own.end_penalty}, not ${usual.end_penalty}.`)
  const others = Object.keys(own.shaped).filter((field) =>
    !WEIGHTS.some((weight) => weight.field === field) && !same(own.shaped[field], usual.shaped[field]))
  return [...said, ...others.map((field) => `The shaped reward differs in ${field.replaceAll('_', ' ')}.`)]
}
