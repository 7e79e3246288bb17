import type { Catalogue } from '@/language/message'

interface Language {
  /** Its own name for itself. */
  name: string
}

/** The languages of the page, by their code of BCP 47. */
export const LANGUAGES = {
  en: { name: 'English' },
  de: { name: 'Deutsch' },
} as const satisfies Record<string, Language>

export type LanguageCode = keyof typeof LANGUAGES

export const LANGUAGE_CODES = Object.keys(LANGUAGES) as LanguageCode[]

/** Load a language's texts; throw where the server does not give them. */
export async function loadTexts(language: LanguageCode): Promise<Catalogue> {
  const address = document.querySelector<HTMLMetaElement>(`meta[name="texts-${language}"]`)?.content ?? ''
  const response = await fetch(address)
  if (!response.ok) throw new Error(`${response.status} at ${address}`)
  return await response.json() as Catalogue
}

export function isLanguage(code: unknown): code is LanguageCode {
  return LANGUAGE_CODES.some((known) => known === code)
}

/** Return the first language of a browser's list that the page has; else English. */
export function preferredLanguage(wanted: readonly string[]): LanguageCode {
  return wanted.map((tag) => tag.split('-')[0]?.toLowerCase()).find(isLanguage) ?? 'en'
}

/** Return the reader's own variant of a language, such as `de-CH`, whose numbers and dates differ. */
export function localeOf(language: LanguageCode, wanted: readonly string[]): string {
  return wanted.find((tag) => tag.split('-')[0]?.toLowerCase() === language) ?? language
}
