import { t } from '@/language/text'
import type { LifeTrace } from '@/life/trace'
import type { Death } from '@/protocol/messages'
import { placeKind } from '@/world/labels'
import { METERS } from '@/world/meters'

/** Say when a death became inevitable, and why. */
export function deathSentence({ meter, last_chance: chance, lonely_since: lonely }: Death): string {
  const sentences = []
  if (chance !== null) {
    const label = METERS.find(({ name }) => name === meter)?.label ?? meter
    const way = chance.places.map((place) => placeKind(place).label).reduce((first, second) => t('life.then', { first, second }))
    sentences.push(t('life.lastChance', { step: chance.step, meter: label, way }))
  }
  if (lonely !== null) sentences.push(t('life.lonely', { step: lonely }))
  return sentences.join(' ')
}

/** Say what a life to the last step was like. */
export function survivalSentence(life: LifeTrace): string {
  const count = life.markers.filter((marker) => marker.kind === 'critical').length
  return count === 0 ? t('life.calm') : t('life.scares', { count })
}
