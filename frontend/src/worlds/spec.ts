import type { SetWorld, WorldInfo } from '@/protocol/messages'

/** What `world` takes in commands: the name of a world, or an object of what differs from the usual one. */
export type WorldSpec = NonNullable<SetWorld['world']>

/** The size of a world's file, at most. */
export const MAX_WORLD_BYTES = 65_536

/** Return whether a world can have this name. */
export function isWorldName(name: string): boolean {
  return /^[a-z0-9](?:[a-z0-9-]{0,62}[a-z0-9])?$/.test(name)
}

/** Longer worlds stay out of the address: some programs cut long links. */
export const LONGEST_IN_ADDRESS = 1800

/** Return a world as one line of text, as in the address: a name, or JSON. */
export function specText(spec: WorldSpec): string {
  return typeof spec === 'string' ? spec : JSON.stringify(spec)
}

/** Return the world that a line of text means, or null for an empty one. Text that is no JSON object is a name, which the server may refuse. */
export function parseSpec(text: string | null): WorldSpec | null {
  const trimmed = text?.trim() ?? ''
  if (trimmed === '') return null
  if (!trimmed.startsWith('{')) return trimmed
  try {
    return JSON.parse(trimmed) as Record<string, unknown>
  } catch {
    return trimmed
  }
}

/** Return in what a world differs from the usual one, apart from how many agents live there and their rule. */
export function ownChanges(info: WorldInfo | null | undefined): Record<string, unknown> {
  const changes = Object.entries(info?.changes ?? {})
  return Object.fromEntries(changes.filter(([field]) => field !== 'num_agents' && field !== 'contention'))
}

/** Return the digest of a world, null for the usual one. */
export function ownDigest(info: WorldInfo | null | undefined): string | null {
  return info && Object.keys(ownChanges(info)).length > 0 ? info.digest : null
}

/** Return the title that an object brings along. */
export function specTitle(spec: WorldSpec): string | null {
  return typeof spec === 'object' && typeof spec.title === 'string' && spec.title !== '' ? spec.title : null
}
