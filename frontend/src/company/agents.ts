import { t } from '@/language/text'
import type { AgentResult, TakeControl } from '@/protocol/messages'
import type { WorldFrame } from '@/world/frame'
import { endingLabel, failureLabel, placeName } from '@/world/labels'

export type AgentId = NonNullable<TakeControl['agent']>

/** All agents that a world may have, in the order of their letters. */
export const AGENT_IDS = [
  'agent_0', 'agent_1', 'agent_2', 'agent_3', 'agent_4', 'agent_5', 'agent_6', 'agent_7',
] as const satisfies readonly AgentId[]

const LETTERS = 'ABCDEFGH'

/** Return the letter by which people tell an agent from the others. */
export function letterOf(id: string): string {
  return LETTERS[AGENT_IDS.indexOf(id as AgentId)] ?? id
}

/** Return the steps of the agent that lived longest: the episode ends with it, whomever the page follows. */
export function longest(agents: Readonly<Record<string, AgentResult>>): number {
  return Math.max(...Object.values(agents).map(({ steps }) => steps))
}

/** Say how a life ended; of one of several agents, whose life it was. */
export function endingOf(end: Parameters<typeof endingLabel>[0], agent: string | null | undefined): string {
  const ending = endingLabel(end)
  return agent ? t('company.ending', { letter: letterOf(agent), ending }) : ending
}

/** Say what one of several agents does at the step on screen. */
export function doing(frame: WorldFrame, id: string): { kind: 'ended' | 'waits' | 'acts'; text: string } {
  const state = frame.states[id]
  const agent = frame.agents.find((one) => one.id === id)
  if (state?.alive === false) {
    return { kind: 'ended', text: state.failure_reason ? failureLabel(state.failure_reason) : t('world.failure.any') }
  }
  const place = frame.affordances.find(({ x, y }) => x === agent?.x && y === agent.y)
  const name = place === undefined ? '' : placeName(place)
  if (state?.waiting_for !== undefined) {
    return { kind: 'waits', text: t('company.waits', { letter: letterOf(state.waiting_for), place: name }) }
  }
  if (state === undefined || state.last_action === '') return { kind: 'acts', text: t('company.begins') }
  const isUse = state.last_action === 'interact' && name !== ''
  return { kind: 'acts', text: isUse ? t('company.uses', { place: name }) : t(`world.action.${state.last_action}`) }
}
