/** The offered seconds between two shown steps, from slow to fast; the last is the fastest that the server shows. */
const DELAYS: readonly number[] = [1, 0.5, 0.2, 0.1, 0.05, 0.02]

/** Return the delay some notches faster than this one, or slower; null where there is none. */
export function nextPace(delay: number, notches: 1 | -1): number | null {
  if (notches > 0) return DELAYS.find((offered) => offered < delay) ?? null
  return DELAYS.findLast((offered) => offered > delay) ?? null
}
