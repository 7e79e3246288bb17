import type { WorldFrame } from '@/world/frame'
import { METERS, filled } from '@/world/meters'

/** The number of each kind of place in a network's input. */
const CODES: Readonly<Record<string, number>> = {
  Bed: 1, Shower: 2, HomeMeal: 3, FastFood: 4, Job: 5, Recreation: 6, Bar: 7, Gym: 8,
}
const SELF = 9
const OTHER = 10

export interface Observation {
  position: [number, number]
  meters: { name: string; label: string; value: number }[]
  /** Row by row; 0 is an empty cell. */
  map: number[][]
}

/** Return one agent's observation as its network gets it: position, meters and the map, all as numbers. */
export function observe(frame: WorldFrame, agentId: string): Observation | null {
  const agent = frame.agents.find(({ id }) => id === agentId)
  const state = frame.states[agentId]
  if (agent === undefined || state === undefined) return null
  const map = Array.from({ length: frame.height }, () => new Array<number>(frame.width).fill(0))
  const mark = (x: number, y: number, code: number): void => {
    const row = map[y]
    if (row !== undefined && x >= 0 && x < row.length) row[x] = code
  }
  for (const place of frame.affordances) mark(place.x, place.y, CODES[place.type] ?? 0)
  for (const other of frame.agents) if (other.id !== agentId) mark(other.x, other.y, OTHER)
  mark(agent.x, agent.y, SELF)
  return {
    position: [agent.x / Math.max(1, frame.width - 1), agent.y / Math.max(1, frame.height - 1)],
    meters: METERS.map((kind) => ({
      name: kind.name, label: kind.label, value: filled(kind, state.meters[kind.name]),
    })),
    map,
  }
}
