import type english from '@/messages/en'

/** A text whose words depend on `count`, by the categories of `Intl.PluralRules`; every language has `other`. */
export type Plural = { other: string } & Partial<Record<Intl.LDMLPluralRule, string>>
export type Message = string | Plural

export type English = typeof english

type PathsOf<Tree, Before extends string> = {
  [Key in keyof Tree & string]: Tree[Key] extends Message ? `${Before}${Key}` : PathsOf<Tree[Key], `${Before}${Key}.`>
}[keyof Tree & string]

/** The path of a text, such as `shell.skip`: the file, then the names within it. */
export type TextPath = PathsOf<English, ''>

/** The same texts in another language: none may be missing. */
export type Translated<Tree> = {
  [Key in keyof Tree]: Tree[Key] extends string ? string : Tree[Key] extends Message ? Plural : Translated<Tree[Key]>
}

export type Catalogue = Translated<English>

/** What fills the `{names}` of a text. Numbers are written as the reader writes them. */
export type Values = Readonly<Record<string, string | number>>
