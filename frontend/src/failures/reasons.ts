/** The world's own reasons, each with its colour in the chart; what a world of one's own adds has the last one. */
const HUES: Readonly<Record<string, number>> = {
  energy_depleted: 0, hygiene_depleted: 4, satiation_depleted: 1, mood_depleted: 2, bankrupt: 6,
}

export const REASONS: readonly string[] = Object.keys(HUES)

export function reasonToken(reason: string): string {
  return `run-${1 + (HUES[reason] ?? 5)}`
}
