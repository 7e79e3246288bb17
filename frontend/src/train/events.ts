import type { RunEvent } from '@/train/run'
import { read, write } from '@/common/storage'

const KEPT = 50

type Written = Omit<RunEvent, 'at'> & { at: string }

function areEvents(value: unknown): value is Written[] {
  return Array.isArray(value) && value.every((one: Partial<Written>) =>
    typeof one.id === 'number' && !Number.isNaN(Date.parse(one.at ?? '')) && Boolean(one.kind))
}

/** What happened to the runs that this browser watched, newest first: a reload does not forget it. */
export function rememberedEvents(): RunEvent[] {
  return read<Written[]>('events', [], areEvents).map((one) => ({ ...one, at: new Date(one.at) }))
}

export function rememberEvents(events: readonly RunEvent[]): void {
  write('events', events.slice(0, KEPT))
}
