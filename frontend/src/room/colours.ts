import type { Member, Stroke } from '@/protocol/messages'

/** In the order of the wire's ink numbers. */
export const COLOURS: readonly Member['colour'][] = ['amber', 'blue', 'green', 'grey', 'orange', 'pink', 'red', 'violet']

const VALUES: Readonly<Record<Member['colour'], string>> = {
  amber: 'light-dark(#8a6100, #f0c752)',
  blue: 'light-dark(#1a5fc4, #84b7ff)',
  green: 'light-dark(#24713c, #86d99c)',
  grey: 'light-dark(#566166, #b8c3c6)',
  orange: 'light-dark(#b4500e, #ffac6b)',
  pink: 'light-dark(#b02c78, #ff9ccf)',
  red: 'light-dark(#b3261e, #ff948a)',
  violet: 'light-dark(#6a3fb8, #c3a4ff)',
}

/** Return a member's colour for style sheets, by day and by night. */
export function colourOf(member: Pick<Member, 'colour'> | null): string {
  return VALUES[member?.colour ?? 'grey']
}

export function inkOf(stroke: Pick<Stroke, 'ink'>): string {
  return VALUES[COLOURS[stroke.ink] ?? 'grey']
}
