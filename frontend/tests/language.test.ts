import { describe, expect, it } from 'vitest'

import { LANGUAGE_CODES, localeOf, preferredLanguage } from '@/language/languages'
import type { Catalogue, Message, TextPath } from '@/language/message'
import { parseNumber, typed } from '@/language/numbers'
import { told } from '@/language/server'
import { n, parts, speak, t } from '@/language/text'
import { briefName, cardOf } from '@/models/details'
import german from '@/messages/de'
import englishTexts from '@/messages/en'
import errors from '@/messages/en/errors.json'
import type { ErrorCode } from '@/protocol/messages'
import { callsOf, readSources, sentencesOf, wordsShown } from './sources'

type Tree = { [name: string]: Message | Tree }

function isMessage(value: Message | Tree): value is Message {
  return typeof value === 'string' || typeof value.other === 'string'
}

function flat(tree: Tree, before = ''): Map<string, Message> {
  return new Map(Object.entries(tree).flatMap(([name, value]) => (
    isMessage(value) ? [[before + name, value] as const] : [...flat(value, `${before}${name}.`)]
  )))
}

function wordings(message: Message): string[] {
  return typeof message === 'string' ? [message] : Object.values(message)
}

function namesIn(message: Message): string[] {
  return [...new Set(wordings(message).flatMap((text) => [...text.matchAll(/\{(\w+)\}/g)].map((match) => match[1] ?? '')))].sort()
}

const sources = readSources()
const CATALOGUES: Record<(typeof LANGUAGE_CODES)[number], Catalogue> = { en: englishTexts, de: german }
const english = flat(englishTexts)

describe.each(LANGUAGE_CODES)('the catalogue %s', (code) => {
  const texts = flat(CATALOGUES[code])

  it('has every text, and no other', () => {
    expect([...texts.keys()].sort()).toEqual([...english.keys()].sort())
  })

  it('fills the same names in each', () => {
    const differing = [...texts].filter(([path, message]) => String(namesIn(message)) !== String(namesIn(english.get(path) ?? '')))
    expect(differing).toEqual([])
  })

  it('has the plural forms that its language needs', () => {
    const { pluralCategories } = new Intl.PluralRules(code).resolvedOptions()
    const wanting = [...texts].filter(([, message]) => (
      typeof message !== 'string' && pluralCategories.some((category) => message[category] === undefined)
    ))
    expect(wanting).toEqual([])
  })

  it('is neatly typed', () => {
    const untidy = [...texts].filter(([, message]) => wordings(message).some((text) => (
      text.trim() === '' || / {2}|\.\.\.|['"]/.test(text)
    )))
    expect(untidy).toEqual([])
  })
})

describe('the sources', () => {
  it('use every text', () => {
    const literals = new Set<string>()
    const patterns: RegExp[] = []
    for (const { text } of sources) {
      for (const [, literal = ''] of text.matchAll(/['"`]([a-z]\w*\.[\w.]+)['"`]/g)) literals.add(literal)
      for (const [, literal = ''] of text.matchAll(/`([a-z]\w*\.(?:[\w.]|\$\{[^`]*?\})+)`/g)) {
        patterns.push(new RegExp(`^${literal.replaceAll('.', '\\.').replace(/\$\{.*?\}/g, '[\\w.]+')}$`))
      }
    }
    const unused = [...english.keys()].filter((path) => !literals.has(path) && !patterns.some((pattern) => pattern.test(path)))
    expect(unused).toEqual([])
  })

  it('give every text its values', () => {
    const wanting = sources.flatMap((source) => callsOf(source).flatMap(({ path, values }) => {
      const names = namesIn(english.get(path) ?? '')
      const plural = typeof english.get(path) === 'object' ? ['count'] : []
      const missing = values === null ? [] : [...names, ...plural].filter((name) => !values.includes(name))
      return missing.length > 0 ? [`${source.path}: ${path} lacks ${missing.join(', ')}`] : []
    }))
    expect(wanting).toEqual([])
  })

  it('have no words of their own', () => {
    const found = sources.flatMap((source) => [...source.bare, ...wordsShown(source), ...sentencesOf(source)].map((text) => `${source.path}: ${text}`))
    expect(found).toEqual([])
  })
})

describe('a text', () => {
  it('of a model that comes with Hamlet is translated, and of another model as it was written', () => {
    const { title, story, watchFor } = englishTexts.models.card.ep50
    const shipped = { name: 'checkpoint_ep50.pt', source: 'shipped', title, story, watch_for: watchFor } as const
    expect(cardOf(shipped)).toEqual({ title, story, watchFor })
    speak('de', german)
    expect(cardOf(shipped).title).toBe('Früh und unbeholfen: Er findet nie zur Bar')
    expect(cardOf({ ...shipped, source: 'run' })).toEqual({ title, story, watchFor })
    speak('en', englishTexts)
  })

  it('is in the language that is spoken', () => {
    expect(t('shell.skip')).toBe('Skip to the view')
    speak('de', german)
    expect(t('shell.skip')).toBe('Direkt zur Ansicht')
    expect(briefName('checkpoint_ep400_shortsighted.pt')).toBe('400 Episoden, kurzsichtig')
    expect(n(1234.5)).toBe('1.234,5')
    expect(n(-0.5)).toBe('\u22120,5')
    expect(n(-0)).toBe('0')
    speak('en', englishTexts)
  })

  it('has its values, or stands in parts around them', () => {
    expect(t('shell.theme', { theme: 'dark' })).toBe('Theme: dark')
    expect(parts('shell.theme')).toEqual(['Theme: ', { name: 'theme' }, ''])
  })

  it('has a path that is checked where it is written', () => {
    // @ts-expect-error no such text
    const path: TextPath = 'shell.nothing'
    expect(path).toBeDefined()
  })
})

describe('what the server says', () => {
  it('is told by its code in another language than its own, and as it stands where the code is unknown', () => {
    // A code that the protocol lacks is a type error here.
    const codes: readonly ErrorCode[] = Object.keys(errors) as (keyof typeof errors)[]
    expect(codes).toContain('room_full')
    expect(told('The room is full: 40.', 'room_full')).toBe('The room is full: 40.')
    speak('de', german)
    expect(told('The room is full: 40.', 'room_full')).toBe('Der Raum ist voll.')
    expect(told('A sentence.', 'a_new_code')).toBe('A sentence.')
    expect(told('400 is too much.', 'out_of_range')).toBe('Dieser Wert ist nicht erlaubt: 400 is too much.')
    expect(told('`width` must be 2 to 32.', 'invalid_world', { field: 'world.width' })).toBe('So ist die Welt nicht erlaubt. Erlaubt bei „width“: eine ganze Zahl von 2 bis 32.')
    expect(told('x', 'invalid_world', { field: 'affordances.A. b.effects.money' })).toContain('„affordances.A. b.effects.money“: −1.000.000 bis 1.000.000.')
    expect(told('`affordances.Bed.x` must be a whole number from 0 to 7; it is 9.', 'invalid_world', { field: 'affordances.Bed.x' })).toContain('„affordances.Bed.x“: eine ganze Zahl von 0 bis 7.')
    expect(told('`affordances.Shower.x` must be another column than that of Bed, or `affordances.Shower.y` another row; it is 1.', 'invalid_world', { field: 'world.affordances.Shower.x' })).toBe('Zwei Orte können kein Feld und keinen Code teilen wie Shower und Bed.')
    expect(told('There is a world mine already; choose another name, or replace it.', 'world_changed')).toContain('Es gibt schon eine Welt mine')
    expect(told('There is a world mine already, in another version than yours.', 'world_changed')).toBe(german.errors.world_changed)
    expect(told('The world cannot be read: it is not JSON: x.', 'invalid_world')).toBe('Der Text ist kein gültiges JSON oder TOML in UTF-8.')
    expect(told('x', 'invalid_world', { field: 'meters.energy.place' })).toBe('So ist die Welt nicht erlaubt: x')
    expect(told('It reads 8 x 8.', 'unusable_model', { command: 'set_world' })).toContain('Das Modell kann diese Welt nicht lesen')
    speak('en', englishTexts)
  })
})

describe('the language', () => {
  it('is the first of the browser that the page has', () => {
    expect(preferredLanguage(['fr-CH', 'de-CH', 'en'])).toBe('de')
    expect(preferredLanguage(['fr'])).toBe('en')
    expect(localeOf('de', ['en-GB', 'de-CH'])).toBe('de-CH')
    expect(localeOf('de', ['en-GB'])).toBe('de')
  })
})

describe('a number in a field', () => {
  it.each([
    ['0,5', 0.5], ['0.5', 0.5], [',5', 0.5], ['-0,25', -0.25], ['\u22125', -5], ['1.000,5', 1000.5], ['1,000.5', 1000.5],
    ['1.000.000', 1_000_000], ['1e-4', 0.0001], ['1,000', 1000], ['-12,345', -12_345], ['1.000', 1], ['0,500', 0.5], ['1,50', 1.5], [' 12 ', 12], ['1 000', 1000],
    ['1\u2019000', 1000], ['1.', 1],
  ])('%s is %d', (text, value) => { expect(parseNumber(text)).toBe(value) })

  it.each([['10.000', 10_000], ['10,000', 10_000], ['0,5', 0.5], ['500', 500]])('for whole numbers %s is %d', (text, value) => {
    expect(parseNumber(text, true)).toBe(value)
  })

  it.each([
    ['1.000', 1000], ['-1.000.000', -1_000_000], ['1.000,5', 1000.5], ['0,5', 0.5], ['0.5', 0.5], ['1,000', 1], ['0.125', 0.125], ['12.50', 12.5],
  ])('in German %s is %d', (text, value) => {
    speak('de', german)
    try {
      expect(parseNumber(text)).toBe(value)
    } finally {
      speak('en', englishTexts)
    }
  })

  it.each(['', 'many', '0,5,5', '1,2,3.4.5', '1.000,000.000', '0x10', '1-2', ',', '1.00,5', '1,00,000', '1 00', '1 0', '+', 'e5'])('%s is none', (text) => { expect(parseNumber(text)).toBeNull() })

  it('comes back as it was shown', () => {
    for (const value of [0.001, -12.5, 10_000, 1e-7]) expect(parseNumber(typed(value))).toBe(value)
  })
})
