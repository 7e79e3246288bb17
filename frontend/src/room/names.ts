import { t } from '@/language/text'
import type { Member } from '@/protocol/messages'

/** Return what a member is called, such as "blue fox". */
export function memberName(member: Pick<Member, 'animal' | 'colour'>): string {
  return t('room.member', { animal: t(`room.animal.${member.animal}`), colour: t(`room.colour.${member.colour}`) })
}
