import { letterOf } from '@/company/agents'
import { t } from '@/language/text'
import type { Member, VoteState } from '@/protocol/messages'

/** Return what a member is called, such as "blue fox". */
export function memberName(member: Pick<Member, 'animal' | 'colour'>): string {
  return t('room.member', { animal: t(`room.animal.${member.animal}`), colour: t(`room.colour.${member.colour}`) })
}

/** Return what a room is called, such as "4827, group 2". */
export function roomName(room: string): string {
  const [base = '', group] = room.split('-')
  const number = base === 'class' ? t('room.class') : base
  return group === undefined ? number : t('room.group', { room: number, group })
}

/** Return what is asked in a vote, with the agent that it is about where there are several. */
export function questionOf({ question, agent }: Pick<VoteState, 'question' | 'agent'>): string {
  const text = t(`room.question.${question}`)
  return agent === undefined ? text : t('room.agentQuestion', { agent: letterOf(agent), question: text })
}
