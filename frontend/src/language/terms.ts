import type { English } from '@/language/message'
import { t } from '@/language/text'
import english from '@/messages/en/terms.json'

/** A term of the field that the page explains in two sentences. */
export type TermName = keyof English['terms']

export const TERM_NAMES = Object.keys(english) as TermName[]

export function termName(name: TermName): string {
  return t(`terms.${name}.name`)
}

export function termText(name: TermName): string {
  return t(`terms.${name}.text`)
}
