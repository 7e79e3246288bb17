import { LONGEST_IN_ADDRESS } from '@/worlds/spec'

/** What one world of a comparison has for itself; what is null is as in all of them. */
export interface Own {
  /** Its world, as in the address; empty: the model's own. */
  readonly world: string | null
  readonly agents: number | null
  readonly contention: boolean | null
  /** The model of each agent, in the order of their letters, where it is not the one that plays the world. */
  readonly models: readonly (string | null)[]
}

export const AS_ALL: Own = { world: null, agents: null, contention: null, models: [] }

const MOST_AGENTS = 8

/** Return what the address says of each world; what cannot be read is as in all. */
export function parseOwn(text: string | null, most: number): Own[] {
  if (text === null) return []
  try {
    const read: unknown = JSON.parse(text)
    return Array.isArray(read) ? read.slice(0, most).map(ownOf) : []
  } catch {
    return []
  }
}

function ownOf(read: unknown): Own {
  if (typeof read !== 'object' || read === null) return AS_ALL
  const { world, agents, contention, models } = read as Record<string, unknown>
  const count = Number.isInteger(agents) ? Number(agents) : 0
  return {
    world: typeof world === 'string' && world.length <= LONGEST_IN_ADDRESS ? world : null,
    agents: count >= 1 && count <= MOST_AGENTS ? count : null,
    contention: typeof contention === 'boolean' ? contention : null,
    models: Array.isArray(models) ? models.slice(0, MOST_AGENTS).map((model: unknown) => (typeof model === 'string' && model !== '' ? model : null)) : [],
  }
}

/** Return the text for the address; null where each world is as all are. */
export function formatOwn(own: readonly Own[]): string | null {
  const told = own.map(({ world, agents, contention, models }) => {
    const one = {
      ...(world !== null && { world }), ...(agents !== null && { agents }), ...(contention !== null && { contention }),
      ...(models.some((model) => model !== null) && { models }),
    }
    return Object.keys(one).length === 0 ? null : one
  })
  return told.some((one) => one !== null) ? JSON.stringify(told) : null
}
