/** Numbers in fields: shown in the reader's notation, and read as people type them. */
import { n } from '@/language/text'

/** Return a number for a field, without separators between thousands and with all its digits. */
export function typed(value: number): string {
  return n(value, { useGrouping: false, maximumSignificantDigits: 15 })
}

/**
 * Return the number that a text means, or null. A comma and a point both begin the decimals, whatever the language:
 * "0,5" and "0.5" are a half everywhere. Where one of them stands several times, or the other follows it, it parts
 * thousands; so it does before three digits in a field for whole numbers: "10.000" and "10,000" are ten thousand there.
 */
export function parseNumber(text: string, whole = false): number | null {
  const plain = text.trim().replaceAll(/[\s\u00a0\u202f'\u2019]/g, '').replace('\u2212', '-')
  if (!/^[+-]?(\d[\d.,]*|[.,]\d+)(e[+-]?\d+)?$/i.test(plain)) return null
  const marks = plain.replaceAll(/[^.,]/g, '')
  const last = marks.at(-1)
  let digits = plain
  if (last !== undefined) {
    const groups = marks.indexOf(last) !== marks.length - 1 || (whole && marks.length === 1 && /^[+-]?[1-9]\d{0,2}[.,]\d{3}$/.test(plain))
    if (groups && !/^[+-]?\d{1,3}([.,])\d{3}(\1\d{3})*$/.test(plain)) return null
    digits = groups ? plain.replaceAll(last, '') : plain.replaceAll(last === ',' ? '.' : ',', '').replace(last, '.')
  }
  const value = Number(digits)
  return Number.isFinite(value) ? value : null
}
