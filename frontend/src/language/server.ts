/** What the server says, in the reader's language. Its sentences are English, its codes are stable. */
import { type NumberLimits, WORLD_LIMITS } from '@/protocol/messages'
import type { English } from '@/language/message'
import { spoken, t, texts } from '@/language/text'

/** Return what is wrong: the server's own sentence in English, which is the most exact, else the one for its code. */
export function told(
  message: string, code: string | null | undefined, at: { field?: string | null | undefined; command?: string | null | undefined } = {},
): string {
  if (spoken() === 'en' || !code || !Object.hasOwn(texts().errors, code)) return message
  if (code === 'unusable_model' && at.command === 'set_world') return t('worlds.unreadable')
  const field = at.field?.replace(/^world\./, '')
  const sentence = code === 'invalid_world' || code === 'world_changed' ? toldOfWorld(message, field ?? '') : null
  if (sentence !== null) return sentence
  const limits = code === 'invalid_world' && field ? limitsAt(field) : null
  if (field && limits) return t('worlds.notAllowed', { field, allowed: allowedWords(limits) })
  return t(`errors.${code as keyof English['errors']}`, { message })
}

/** What the server says of a world beyond the limits of numbers: how its sentence begins to be known, and the page's own. */
const OF_WORLDS: readonly [RegExp, (found: readonly string[], field: string) => string][] = [
  [/^There is a world (\S+) already; choose/, ([name = '']) => t('worlds.taken', { name })],
  [/ must be another (?:column|code) than that of (.+?)(?:, or `|; it is )/, ([other = ''], field) => t('worlds.shared', { place: placeIn(field), other })],
  [/^A world's name has /, () => t('worlds.nameRule')],
  [/^The world cannot be read: /, () => t('worlds.notRead')],
  [/ has more than ([\d,]+) bytes/, ([most = '']) => t('worlds.tooLarge', { most: plainNumber(most) })],
  [/ must be a (whole )?number (?:from|above) (-?[\d.,e+]+) (?:to|and at most) (-?[\d.,e+]+); /, (found, field) => notAllowed(found, field)],
]

function toldOfWorld(message: string, field: string): string | null {
  for (const [pattern, say] of OF_WORLDS) {
    const found = pattern.exec(message)
    if (found !== null) return say(found.slice(1), field)
  }
  return null
}

/** The range of a number as the server told it, which may depend on other fields: a cell on the world's width. */
function notAllowed([whole, low = '', high = '']: readonly string[], field: string): string {
  const limits = { ...limitsAt(field), low: plainNumber(low), high: plainNumber(high), ...(whole && { whole: true as const }) }
  return t('worlds.notAllowed', { field, allowed: allowedWords(limits) })
}

function plainNumber(english: string): number {
  return Number(english.replaceAll(',', ''))
}

/** Return the place in a field such as `affordances.Bed.x`. */
function placeIn(field: string): string {
  return field.replace(/^affordances\./, '').replace(/\.\w+$/, '')
}

/** Return the limits of a field of a world such as `meters.energy.start`, null for one that is no number. */
function limitsAt(field: string): NumberLimits | null {
  const [list = ''] = field.split('.', 1)
  const known = Object.keys(WORLD_LIMITS).find((kind) => kind === field || (
    (list === 'meters' || list === 'affordances') && kind.startsWith(`${list}.`) && field.endsWith(kind.slice(list.length))))
  return known === undefined ? null : WORLD_LIMITS[known] ?? null
}

/** Say which numbers are allowed. */
export function allowedWords({ low, high, above, whole }: NumberLimits): string {
  if (whole) return t('editor.allowed.whole', { low, high })
  if (low === -high) return t('editor.allowed.either', { high })
  return above ? t('editor.allowed.above', { low, high }) : t('editor.allowed.range', { low, high })
}
