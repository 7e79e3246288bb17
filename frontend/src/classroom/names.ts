import { t } from '@/language/text'
import type { ClassPlayer } from '@/protocol/messages'

const ANIMALS = [
  'fox', 'owl', 'bear', 'otter', 'hare', 'seal', 'wolf', 'crane', 'mole', 'lynx', 'beaver', 'frog', 'heron', 'badger', 'deer', 'goose',
  'hedgehog', 'whale', 'robin', 'turtle', 'squirrel', 'swan', 'mouse', 'dolphin', 'stork', 'bee', 'newt', 'elk', 'raven', 'penguin',
] as const
export const COLOURS = ['red', 'orange', 'yellow', 'green', 'blue', 'violet', 'brown', 'grey'] as const

/** Name a player in the reader's language; an animal or a colour of a later server keeps its English word. */
export function playerName({ animal, colour }: Pick<ClassPlayer, 'animal' | 'colour'>): string {
  const known = ANIMALS.find((name) => name === animal)
  const hue = COLOURS.find((name) => name === colour)
  return t('classroom.player', {
    animal: known === undefined ? animal : t(`classroom.animals.${known}`),
    colour: hue === undefined ? colour : t(`classroom.colours.${hue}`),
  })
}
