/** The page's texts in the reader's language, and the numbers within them. What reads them follows a change of language. */
import { shallowRef } from 'vue'

import type { LanguageCode } from '@/language/languages'
import type { Catalogue, Message, TextPath, Values } from '@/language/message'

interface Voice { language: LanguageCode; locale: string; catalogue: Catalogue; plurals: Intl.PluralRules }

const NAMED = /\{(\w+)\}/

function voiceOf(language: LanguageCode, catalogue: Catalogue, locale: string): Voice {
  return { language, locale, catalogue, plurals: new Intl.PluralRules(language) }
}

/** Nothing is shown before `speak` was called for the first time. */
const voice = shallowRef<Voice>(voiceOf('en', {} as Catalogue, 'en'))

/** Speak another language from now on. In the page the store `useLanguage` alone calls this. */
export function speak(language: LanguageCode, catalogue: Catalogue, locale: string = language): void {
  voice.value = voiceOf(language, catalogue, locale)
}

/** Return the language that is spoken. */
export function spoken(): LanguageCode {
  return voice.value.language
}

/** Return all texts of the language that is spoken. */
export function texts(): Catalogue {
  return voice.value.catalogue
}

/** Return the reader's locale, for `Intl`. */
export function locale(): string {
  return voice.value.locale
}

/**
 * Return a text with its values. `count` also chooses between the singular and the plural, where the text has both:
 * `t('worlds.places', { count: 3 })`.
 */
export function t(path: TextPath, values: Values = {}): string {
  return parts(path, values).map((part) => fill(part, values)).join('')
}

/** Return a text in parts: plain strings, and the names that stand between them. */
export function parts(path: TextPath, values: Values = {}): (string | { name: string })[] {
  return wording(path, values).split(NAMED).map((part, index) => (index % 2 === 0 ? part : { name: part }))
}

/** Return the text for a part of `parts`: of a name, its value. */
export function fill(part: string | { name: string }, values: Values): string {
  if (typeof part === 'string') return part
  const value = values[part.name]
  return typeof value === 'number' ? n(value) : value ?? `{${part.name}}`
}

function wording(path: TextPath, values: Values): string {
  let found: unknown = voice.value.catalogue
  for (const name of path.split('.')) found = (found as Record<string, unknown>)[name]
  const message = found as Message
  if (typeof message === 'string') return message
  return message[voice.value.plurals.select(Number(values.count))] ?? message.other
}

const writers = new Map<string, Intl.NumberFormat>()

/** Return a number as the reader writes it, with at most three digits after the point unless `options` say otherwise. */
export function n(value: number, options: Intl.NumberFormatOptions = {}): string {
  const key = voice.value.locale + JSON.stringify(options)
  let writer = writers.get(key)
  if (writer === undefined) writers.set(key, writer = new Intl.NumberFormat(voice.value.locale, options))
  // The minus sign of typesetters, which is as wide as a plus.
  return writer.format(value === 0 ? 0 : value).replace('-', '\u2212')
}

/** Return a number with exactly so many digits after the point. */
export function fixed(value: number, digits: number): string {
  return n(value, { minimumFractionDigits: digits, maximumFractionDigits: digits })
}
