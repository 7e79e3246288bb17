import { shallowRef } from 'vue'

import type { ChosenMeters, EpisodeStart, InferenceCommand, SetStart } from '@/protocol/messages'

export type StartKind = EpisodeStart['start']
export type Cell = readonly [number, number]

/** Where episodes begin; what is not chosen is as at the usual start. */
export interface Start {
  kind: StartKind
  cell?: Cell
  meters?: ChosenMeters
  /** The agent that is placed, of several. */
  agent?: SetStart['agent']
}

export const USUAL: Start = { kind: 'usual' }

const CELL = /^(\d{1,2}),(\d{1,2})$/

/** Read a start as it stands in the address: nothing, `random`, or a cell such as `3,5`. */
export function parseStart(text: string | null): Start {
  const cell = CELL.exec(text ?? '')
  if (cell !== null) return { kind: 'chosen', cell: [Number(cell[1]), Number(cell[2])] }
  return text === 'random' ? { kind: 'random' } : USUAL
}

/** Return a start as it stands in the address, where chosen meters do not. */
export function formatStart({ kind, cell }: Start): string | null {
  if (kind === 'random') return 'random'
  return cell === undefined ? null : cell.join(',')
}

/** Hold where a session's episodes begin, as it was chosen and as the server does it. */
export class StartChoice {
  readonly chosen = shallowRef<Start>(USUAL)
  /** How the episode on screen began. */
  readonly kind = shallowRef<StartKind>('usual')
  private asked = false
  private counted = ''

  constructor(private readonly send: (command: InferenceCommand) => boolean) {}

  choose(start: Start): void {
    this.chosen.value = start
    this.ask()
  }

  /** Choose what the address says, unless that is chosen already. */
  follow(address: string | null): void {
    if (address !== formatStart(this.chosen.value)) this.choose(parseStart(address))
  }

  /** Ask a new connection for what was chosen on the last one. */
  restore(): void {
    if (this.chosen.value.kind !== 'usual') this.ask()
  }

  /** The session of the last connection goes on, as it began. */
  resumed(): void {
    this.kind.value = this.chosen.value.kind
  }

  /** An episode has begun; return whether it counts with others than the one before. */
  begun(kind: StartKind): boolean {
    if (kind === this.chosen.value.kind) this.asked = false
    this.kind.value = kind
    const counted = kind === 'chosen' ? JSON.stringify(this.chosen.value) : kind
    const differs = counted !== this.counted
    this.counted = counted
    return differs
  }

  /** The session has moved to another world, in which nothing is chosen yet. */
  moved(): void {
    if (!this.asked && this.chosen.value.kind === 'chosen') this.chosen.value = USUAL
  }

  /** The server refused what was asked for: the start is as it was. */
  refused(): void {
    this.asked = false
    this.chosen.value = this.kind.value === 'random' ? { kind: 'random' } : USUAL
  }

  private ask(): void {
    const { kind, cell, meters, agent } = this.chosen.value
    this.asked = this.send({
      command: 'set_start',
      ...(kind === 'random' ? { random: true } : {}),
      ...(cell === undefined ? {} : { cell: [...cell] }),
      ...(meters === undefined ? {} : { meters }),
      ...(agent === undefined ? {} : { agent }),
    })
  }
}
