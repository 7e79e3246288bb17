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
  const limits = code === 'invalid_world' && field ? limitsAt(field) : null
  if (field && limits) return t('worlds.notAllowed', { field, allowed: allowedWords(limits) })
  return t(`errors.${code as keyof English['errors']}`, { message })
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
