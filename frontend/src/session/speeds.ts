/** The offered speeds, as multiples of ten steps a second, over the server's whole range. */
export const SPEEDS: readonly number[] = [0.1, 0.2, 0.5, 1, 1.5, 2, 3, 5, 7, 10]

/** Return the index of the offered speed nearest to a value, in ratio. */
export function speedIndex(speed: number): number {
  let best = 0
  SPEEDS.forEach((offer, index) => {
    if (Math.abs(Math.log(offer / speed)) < Math.abs(Math.log((SPEEDS[best] ?? 1) / speed))) best = index
  })
  return best
}

/** Return the speed some notches faster or slower, within the range. */
export function nextSpeed(speed: number, notches: number): number {
  const index = Math.min(SPEEDS.length - 1, Math.max(0, speedIndex(speed) + notches))
  return SPEEDS[index] ?? speed
}

/** How long an answer to an earlier speed may come after the newest was asked for. */
export const SPEED_SETTLES_MS = 600

/** How long the end of a life stays on screen at least. */
export const LINGER_S = 3
