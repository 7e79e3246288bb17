import type { WorldInfo } from '@/protocol/messages'
import { METERS, type MeterKind } from '@/world/meters'

/** Return the meters with the limits that they have in a world: those in their own unit may have others. */
export function metersOf(world: WorldInfo | null): MeterKind[] {
  const changes = (world?.changes.meters ?? {}) as Readonly<Record<string, { minimum?: number; maximum?: number } | undefined>>
  return METERS.map((kind) => {
    if (kind.name !== 'money' && kind.name !== 'mood') return kind
    const own = changes[kind.name]
    return { ...kind, label: kind.label, min: own?.minimum ?? kind.min, max: own?.maximum ?? kind.max }
  })
}
