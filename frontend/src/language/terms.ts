import type { English } from '@/language/message'
import { t, texts } from '@/language/text'

/** A term of the field that the page explains in two sentences. */
export type TermName = keyof English['terms']

export function termNames(): TermName[] {
  return Object.keys(texts().terms) as TermName[]
}

/** The terms that parameters of a run are named after. */
const PARAMETERS: Readonly<Record<string, TermName>> = {
  network_type: 'network', learning_rate: 'learningRate', gamma: 'discount', buffer_capacity: 'replayBuffer', batch_size: 'batch',
  seed: 'seed', checkpoint_every: 'checkpoint', random_start: 'randomStart', contention: 'contention',
}

export function termOfParameter(name: string): TermName | undefined {
  return PARAMETERS[name]
}

export function termName(name: TermName): string {
  return t(`terms.${name}.name`)
}

export function termText(name: TermName): string {
  return t(`terms.${name}.text`)
}
