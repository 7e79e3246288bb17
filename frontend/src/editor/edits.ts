import type { Config, Meter, Place } from '@/editor/config'
import { MAX_PLACES } from '@/protocol/messages'
import type { MeterName } from '@/world/meters'

/** The known types by the code of the usual world's place; the code is what the agent sees. */
const TYPES: Readonly<Record<number, string>> = {
  1: 'Bed', 2: 'Shower', 3: 'HomeMeal', 4: 'FastFood', 5: 'Job', 6: 'Recreation', 7: 'Bar', 8: 'Gym',
}
export const PLACE_TYPES: readonly string[] = Object.values(TYPES)
/** The agent's first cell is moved as places are. */
export const START = '\u0000start'

/** Return the type as which a place is shown. */
export function shownType(place: Place): string {
  return place.type ?? (PLACE_TYPES.includes(place.name) ? place.name : (TYPES[place.code] ?? place.name))
}

function isFree(config: Config, x: number, y: number): boolean {
  return !config.affordances.some((place) => place.x === x && place.y === y)
}

function isInside(config: Config, x: number, y: number): boolean {
  return x >= 0 && y >= 0 && x < config.width && y < config.height
}

/** Put a place, or the agent's start, on a cell. Two places share none: then nothing changes. */
export function moveTo(config: Config, name: string, x: number, y: number): Config {
  if (!isInside(config, x, y)) return config
  if (name === START) return { ...config, start: [x, y] }
  if (!isFree(config, x, y)) return config
  return { ...config, affordances: config.affordances.map((place) => (place.name === name ? { ...place, x, y } : place)) }
}

/** Move by one cell, past cells that are taken. */
export function moveBy(config: Config, name: string, dx: number, dy: number): Config {
  const place = config.affordances.find((one) => one.name === name)
  let [x, y] = place ? [place.x, place.y] : config.start
  do {
    x += dx
    y += dy
  } while (place && isInside(config, x, y) && !isFree(config, x, y))
  return moveTo(config, name, x, y)
}

/** Return the free cell that is nearest to another one. */
function freeCell(config: Config, nearX: number, nearY: number): [number, number] | null {
  let best: [number, number] | null = null
  let least = Infinity
  for (let y = 0; y < config.height; y++) {
    for (let x = 0; x < config.width; x++) {
      const distance = Math.abs(x - nearX) + Math.abs(y - nearY)
      if (distance < least && isFree(config, x, y)) [best, least] = [[x, y], distance]
    }
  }
  return best
}

/** Add a place of a known type; returns its name, or null where there is no room for another. */
export function addPlace(config: Config, usual: Config, type: string): { config: Config; name: string } | null {
  const taken = new Set(config.affordances.map(({ code }) => code))
  const model = usual.affordances.find((place) => place.name === type)
  const code = [model?.code ?? 1, 1, 2, 3, 4, 5, 6, 7, 8].find((one) => !taken.has(one))
  const cell = freeCell(config, Math.floor(config.width / 2), Math.floor(config.height / 2))
  if (model === undefined || code === undefined || cell === null || config.affordances.length >= MAX_PLACES) return null
  let name = type
  for (let number = 2; config.affordances.some((place) => place.name === name); number++) name = `${type} ${number}`
  const place: Place = { ...structuredClone(model), name, code, x: cell[0], y: cell[1], ...(name !== type && { type }) }
  const isBack = name === type
  return {
    name,
    config: {
      ...config,
      affordances: [...config.affordances, place],
      meals: isBack && usual.meals.includes(name) ? usual.meals.filter((meal) => meal === name || config.meals.includes(meal)) : config.meals,
      meters: config.meters.map((meter, index) =>
        isBack && meter.place === null && usual.meters[index]?.place === name ? { ...meter, place: name } : meter),
    },
  }
}

/** Remove a place, and what the rewards say of it. */
export function removePlace(config: Config, name: string): Config {
  return {
    ...config,
    affordances: config.affordances.filter((place) => place.name !== name),
    meals: config.meals.filter((meal) => meal !== name),
    meters: config.meters.map((meter) => (meter.place === name ? { ...meter, place: null } : meter)),
  }
}

/** Change what a visit does to a meter; what the reward counts of it stays equal where it was. */
export function setEffect(config: Config, name: string, meter: MeterName, value: number): Config {
  return changePlace(config, name, (place) => ({
    ...place,
    effects: { ...place.effects, [meter]: value },
    // Only work pays less to the tired, and work has no price.
    tired_money: meter === 'money' && value < 0 ? null : place.tired_money,
    rewarded: place.rewarded?.[meter] === place.effects[meter] ? { ...place.rewarded, [meter]: value } as Place['rewarded'] : place.rewarded,
  }))
}

export function changePlace(config: Config, name: string, change: (place: Place) => Place): Config {
  return { ...config, affordances: config.affordances.map((place) => (place.name === name ? change(place) : place)) }
}

export function setMeter(config: Config, name: MeterName, change: Partial<Meter>): Config {
  return { ...config, meters: config.meters.map((meter) => (meter.name === name ? { ...meter, ...change } : meter)) }
}

/** Change the size of the grid; what would lie outside moves to the nearest cell inside. */
export function setSize(config: Config, width: number, height: number): Config {
  const resized: Config = {
    ...config, width, height, affordances: [],
    start: [Math.min(config.start[0], width - 1), Math.min(config.start[1], height - 1)],
  }
  for (const place of config.affordances) {
    const [x, y] = [Math.min(place.x, width - 1), Math.min(place.y, height - 1)]
    const cell = isFree(resized, x, y) ? [x, y] as const : freeCell(resized, x, y)
    // A grid too small for all of them loses the last ones.
    if (cell !== null) resized.affordances.push({ ...place, x: cell[0], y: cell[1] })
  }
  const lost = config.affordances.filter((place) => !resized.affordances.some(({ name }) => name === place.name))
  return lost.reduce((left, { name }) => removePlace(left, name), resized)
}
