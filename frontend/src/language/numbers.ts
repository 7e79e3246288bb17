/** Numbers in fields: shown in the reader's notation, and read as people type them. */
import { n } from '@/language/text'

/** Return a number for a field, without separators between thousands and with all its digits. */
export function typed(value: number): string {
  return n(value, { useGrouping: false, maximumSignificantDigits: 15 })
}

const WHOLE = String.raw`[1-9]\d{0,2}(?<group>[.,\s'\u2019])\d{3}(?:\k<group>\d{3})*`
const GROUPED = new RegExp(`^${WHOLE}$`)
const GROUPED_WITH_DECIMALS = new RegExp(String.raw`^${WHOLE}(?<decimal>[.,])\d*$`)
const DECIMALS = /^(?:\d+[.,]?\d*|[.,]\d+)$/

/**
 * Return the number that a text means, or null. Separators part thousands where they stand in groups of three: spaces
 * and apostrophes, and the point or the comma that does so in the page's language ("1.000" is a thousand in German
 * and one in English), stands several times, or stands in a field for whole numbers. Elsewhere a comma and a point
 * both begin the decimals: "0,5" and "0.5" are a half everywhere.
 */
export function parseNumber(text: string, whole = false): number | null {
  const parts = /^(?<sign>[+-]?)(?<digits>[^e]*)(?<power>e[+-]?\d+)?$/i.exec(text.trim().replace('\u2212', '-'))?.groups
  const digits = parts && plainDigits(parts.digits ?? '', whole)
  if (!parts || !digits) return null
  const value = Number(`${parts.sign}${digits}${parts.power ?? ''}`)
  return Number.isFinite(value) ? value : null
}

/** Return digits without separators of thousands and with a point before the decimals, null where they mean no number. */
function plainDigits(text: string, whole: boolean): string | null {
  const group = GROUPED.exec(text)?.groups?.group
  const isMark = group === '.' || group === ','
  if (group !== undefined && (!isMark || whole || group !== decimalMark() || text.split(group).length > 2)) return text.replaceAll(group, '')
  const mixed = GROUPED_WITH_DECIMALS.exec(text)?.groups
  if (mixed !== undefined && mixed.group !== mixed.decimal) return text.replaceAll(mixed.group ?? '', '').replace(',', '.')
  return DECIMALS.test(text) ? text.replace(',', '.') : null
}

/** Return the mark before the decimals in the page's language. */
function decimalMark(): string {
  return n(0.5).includes(',') ? ',' : '.'
}
